import SettleCore
import SettlePostgres
import Settle
import ShopContract

/// Takes an order's items from the stock, once, and all of them or none.
///
/// One statement takes the items of a whole batch, except of orders that ask for a product the batch as a whole has too
/// little of: who gets the last pieces is decided order by order, in a second transaction, and no order is rejected for a
/// product that a global transaction in mode `at` holds.
struct DeductStockApplier: TaskApplier {
    let database: PostgresDatabase

    func dedupKey(of body: StockChange) -> String { body.orderId }

    func check(_ body: StockChange) throws { try body.check() }

    func rows(of body: StockChange) -> [String] { body.items.map(\.sku) }

    func held(among rows: [String]) async throws -> Set<ByteKey> {
        try await RowProbe(database, table: "product", key: "sku", enrolled: true).held(among: rows)
    }

    func decided(_ tasks: [ReceivedTask<StockChange>]) async throws -> [TaskOutcome?] {
        try await StockLogEntry.decided(try tasks.map { try StockLogEntry($0.body) }, "deduct", in: database)
    }

    func apply(_ tasks: [ReceivedTask<StockChange>]) async throws -> [TaskOutcome] {
        try await decideAll(try tasks.map { try StockLogEntry($0.body) }) { entries in
            var outcomes = try StockLogEntry.outcomes(
                of: await database.query(Self.deduct, StockLogEntry.parameters(entries) + [.bool(false)]))
            let open = entries.indices.filter { outcomes[$0] == nil }
            if !open.isEmpty {
                for (index, outcome) in zip(open, try await oneByOne(open.map { entries[$0] })) {
                    outcomes[index] = outcome
                }
            }
            return outcomes
        }
    }

    private func oneByOne(_ entries: [StockLogEntry]) async throws -> [TaskOutcome?] {
        try await database.transaction { transaction in
            // From now on these products stay as they are: what the statements below see is not older than that.
            transaction.add(Self.lock, [.texts(entries.map(\.items))])
            let tickets = entries.map {
                transaction.add(Self.deduct, StockLogEntry.parameters([$0]) + [.bool(true)])
            }
            return try tickets.flatMap { try StockLogEntry.outcomes(of: transaction.rows(of: $0)) }
        }
    }

    private static let lock = """
        SELECT FROM product
        WHERE sku IN (
            SELECT x.sku FROM unnest($1::text[]) AS items, jsonb_to_recordset(items::jsonb) AS x (sku text))
        ORDER BY sku FOR NO KEY UPDATE
        """

    /// Products are locked in the order of their keys, so that two batches cannot deadlock. `$3`: whether an order that
    /// cannot be served is rejected now, which fails with `ST001` while the
    /// product is held; otherwise it is left undecided.
    private static let deduct = """
        WITH input AS (
            SELECT order_id, items::jsonb AS items, n
            FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (order_id, items, n)),
        line AS (
            SELECT n, order_id, x.sku, x.quantity
            FROM input, jsonb_to_recordset(items) AS x (sku text, quantity bigint)
            WHERE NOT EXISTS (SELECT FROM stock_log l WHERE l.order_id = input.order_id AND l.action = 'deduct')),
        locked AS (
            SELECT sku, available FROM product WHERE sku IN (SELECT sku FROM line)
            ORDER BY sku FOR NO KEY UPDATE),
        short AS (
            SELECT sku FROM line LEFT JOIN locked USING (sku)
            GROUP BY sku, available HAVING coalesce(available, -1) < sum(quantity)),
        verdict AS (
            SELECT n, order_id, min(short.sku) AS short FROM line LEFT JOIN short USING (sku) GROUP BY n, order_id),
        logged AS (
            INSERT INTO stock_log (order_id, action, items, rejected)
            SELECT order_id, 'deduct', items,
                   CASE WHEN short IS NOT NULL THEN 'not enough stock of ' || short || settle.at_check('product', ARRAY[short])
                   END
            FROM input JOIN verdict USING (n, order_id)
            WHERE short IS NULL OR $3::bool
            ORDER BY order_id
            ON CONFLICT DO NOTHING RETURNING order_id, rejected),
        taken AS (
            UPDATE product p SET available = p.available - d.quantity
            FROM (SELECT sku, sum(quantity) AS quantity FROM line JOIN logged USING (order_id)
                  WHERE logged.rejected IS NULL GROUP BY sku) d
            WHERE p.sku = d.sku)
        SELECT logged.order_id IS NOT NULL, logged.rejected, log.items = input.items, log.rejected
        FROM input LEFT JOIN logged USING (order_id)
        LEFT JOIN stock_log log ON log.order_id = input.order_id AND log.action = 'deduct'
        ORDER BY n
        """
}
