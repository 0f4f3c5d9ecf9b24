import SettleCore
import SettlePostgres
import Settle
import ShopContract

/// Gives back, once, what an order had taken, be it by a task or under a global transaction. What was never taken is
/// not given back.
struct RestockApplier: TaskApplier {
    let database: PostgresDatabase

    func dedupKey(of body: StockChange) -> String { body.orderId }

    func check(_ body: StockChange) throws { try body.check() }

    func rows(of body: StockChange) -> [String] { body.items.map(\.sku) }

    func held(among rows: [String]) async throws -> Set<ByteKey> {
        try await RowProbe(database, table: "product", key: "sku", enrolled: true).held(among: rows)
    }

    func decided(_ tasks: [ReceivedTask<StockChange>]) async throws -> [TaskOutcome?] {
        try await StockLogEntry.decided(try tasks.map { try StockLogEntry($0.body) }, "restock", in: database)
    }

    func apply(_ tasks: [ReceivedTask<StockChange>]) async throws -> [TaskOutcome] {
        try await decideAll(try tasks.map { try StockLogEntry($0.body) }) { entries in
            // The same lock order as when taking.
            try StockLogEntry.outcomes(
                of: await database.query(
                    """
                    WITH input AS (
                        SELECT order_id, items::jsonb AS items, xid, n
                        FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY
                            AS i (order_id, items, xid, n)),
                    logged AS (
                        INSERT INTO stock_log (order_id, action, items, rejected)
                        SELECT order_id, 'restock', items,
                               CASE WHEN xid IS NULL AND NOT EXISTS (
                                   SELECT FROM stock_log l
                                   WHERE l.order_id = input.order_id AND l.action = 'deduct' AND l.rejected IS NULL
                                     AND l.items = input.items)
                               THEN 'these items were not taken'
                               WHEN EXISTS (SELECT FROM settle.branch b WHERE b.xid = input.xid AND b.state = 'rolledBack')
                               THEN 'these items were given back already' END
                        FROM input ORDER BY order_id
                        ON CONFLICT DO NOTHING RETURNING order_id, items, rejected),
                    line AS (
                        SELECT x.sku, sum(x.quantity) AS quantity
                        FROM logged, jsonb_to_recordset(items) AS x (sku text, quantity bigint)
                        WHERE logged.rejected IS NULL GROUP BY x.sku),
                    locked AS (
                        SELECT sku, quantity FROM product JOIN line USING (sku)
                        ORDER BY sku FOR NO KEY UPDATE OF product),
                    given AS (
                        UPDATE product p SET available = p.available + locked.quantity
                        FROM locked WHERE p.sku = locked.sku)
                    SELECT logged.order_id IS NOT NULL, logged.rejected, log.items = input.items, log.rejected
                    FROM input LEFT JOIN logged USING (order_id)
                    LEFT JOIN stock_log log ON log.order_id = input.order_id AND log.action = 'restock'
                    ORDER BY n
                    """, StockLogEntry.parameters(entries) + [.texts(entries.map(\.xid))]))
        }
    }
}
