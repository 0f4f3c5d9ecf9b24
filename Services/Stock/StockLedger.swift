import Logging
import Settle
import SettlePostgres
import ShopContract

/// What each order took from the stock, net of what was given back, and what the balances of products must be for it.
enum StockLedger {
    static let source = LedgerSource { parts($0).joined(separator: " UNION ALL ") }

    /// By account `sku` and kind `taken`; a statement for each table.
    static func parts(_ scope: (String) -> String) -> [String] {
        [
            """
            SELECT l.order_id, x.sku, 'taken', CASE l.action WHEN 'deduct' THEN x.quantity ELSE -x.quantity END
            FROM stock_log l, jsonb_to_recordset(l.items) AS x (sku text, quantity bigint)
            WHERE l.rejected IS NULL AND \(scope("l.order_id"))
            """,
            """
            SELECT t.order_id, x.sku, 'taken', t.sign * x.quantity
            FROM stock_taken t, jsonb_to_recordset(t.items) AS x (sku text, quantity bigint)
            WHERE \(scope("t.order_id"))
            """,
            """
            SELECT t.order_id, x.sku, 'taken', x.quantity
            FROM stock_taken_at t, jsonb_to_recordset(t.items) AS x (sku text, quantity bigint)
            WHERE \(scope("t.order_id"))
            """,
        ]
    }

    /// Each table is added up by itself, which the server can do in parallel. What is tried in mode `tcc` and not decided is in
    /// none of them yet: it is what `reserved` consists of.
    private static let balances =
        parts { _ in "true" }.map {
            "SELECT account, -sum(amount), 0 FROM (\($0)) AS l (key, account, kind, amount) GROUP BY account UNION ALL "
        }.joined() + """
            SELECT account, -amount, 0 FROM settle.ledger_adjustment WHERE kind = 'taken'
            UNION ALL
            SELECT sku, available, 0 FROM product_change
            UNION ALL
            SELECT x.sku, -x.quantity, x.quantity
            FROM settle.branch b, jsonb_to_recordset(b.request::jsonb -> 'items') AS x (sku text, quantity numeric)
            WHERE b.state = 'undecided' AND b.mode = 'tcc' AND b.action = '\(ShopActions.deduct)'
            """

    static func table(in database: PostgresDatabase, logger: Logger) -> BalanceTable {
        BalanceTable(
            "product", key: "sku", columns: ["available", "reserved"], ledger: balances, in: database, logger: logger)
    }
}
