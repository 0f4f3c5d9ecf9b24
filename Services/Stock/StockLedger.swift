import Logging
import Settle
import SettlePostgres
import ShopContract

/// What each order took from the stock, net of what was given back, and what the balances of products must be for it.
enum StockLedger {
    static let source = LedgerSource(lines: lines)

    /// By account `sku` and kind `taken`.
    static func lines(_ scope: (String) -> String) -> String {
        """
        SELECT l.order_id, x.sku, 'taken', CASE l.action WHEN 'deduct' THEN x.quantity ELSE -x.quantity END
        FROM stock_log l, jsonb_to_recordset(l.items) AS x (sku text, quantity bigint)
        WHERE l.rejected IS NULL AND \(scope("l.order_id"))
        UNION ALL
        SELECT t.order_id, x.sku, 'taken', t.sign * x.quantity
        FROM stock_taken t, jsonb_to_recordset(t.items) AS x (sku text, quantity bigint)
        WHERE \(scope("t.order_id"))
        UNION ALL
        SELECT t.order_id, x.sku, 'taken', x.quantity
        FROM stock_taken_at t, jsonb_to_recordset(t.items) AS x (sku text, quantity bigint)
        WHERE \(scope("t.order_id"))
        """
    }

    /// What is tried in mode `tcc` and not decided is in no ledger yet: it is what `reserved` consists of.
    static let balances = """
        SELECT account, -amount, 0 FROM (\(lines { _ in "true" })) AS l (key, account, kind, amount)
        UNION ALL
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
