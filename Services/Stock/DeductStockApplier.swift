import SettleCore
import SettlePostgres
import Settle
import ShopContract

/// Takes an order's items from the stock, once, and all of them or none.
///
/// One statement takes the items of a whole batch, except of orders that were decided before, and of those that ask for a
/// product the batch as a whole has too little of: who gets the last pieces is decided order by order, in a second
/// transaction. Flash products are not taken by tasks: to those there is nothing of them. No order is rejected for a product that a global transaction in mode `at` holds.
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
            try await decideInTurn(entries, [together, before, oneByOne])
        }
    }

    private func together(_ entries: [StockLogEntry]) async throws -> [TaskOutcome?] {
        try StockLogEntry.outcomes(
            of: entries,
            logged: await database.query(Self.deduct, StockLogEntry.parameters(entries) + [.bool(false)]))
    }

    private func before(_ entries: [StockLogEntry]) async throws -> [TaskOutcome?] {
        try await StockLogEntry.decided(entries, "deduct", in: database)
    }

    private func oneByOne(_ entries: [StockLogEntry]) async throws -> [TaskOutcome?] {
        try await database.transaction { transaction in
            // From now on these products stay as they are: what the statements below see is not older than that.
            transaction.add(Self.lock, [.texts(entries.map(\.items))])
            let tickets = entries.map {
                transaction.add(Self.deduct, StockLogEntry.parameters([$0]) + [.bool(true)])
            }
            return try zip(entries, tickets).flatMap { entry, ticket in
                try StockLogEntry.outcomes(of: [entry], logged: transaction.rows(of: ticket))
            }
        }
    }

    static let lock = """
        SELECT FROM product
        WHERE sku = ANY (ARRAY(
            SELECT x.sku FROM unnest($1::text[]) AS items, jsonb_to_recordset(items::jsonb) AS x (sku text)))
        ORDER BY sku FOR NO KEY UPDATE
        """

    /// Answers with the orders that it has logged. `$3`: whether an order that cannot be served is rejected now, which fails
    /// with `ST001` while the product is held; otherwise it is left out.
    ///
    /// Products are locked in the order of their keys, so that two batches cannot deadlock. No step joins the batch with
    /// itself: the planner takes it for a handful, and would compare each line with each. What belongs to a product gets to
    /// its lines by a window, and to its row by a map.
    static let deduct = """
        WITH line AS (
            SELECT order_id, items, x.sku, sum(x.quantity) OVER same AS wanted, row_number() OVER same = 1 AS is_first
            FROM unnest($1::text[], $2::jsonb[]) AS input (order_id, items),
                 jsonb_to_recordset(items) AS x (sku text, quantity integer)
            WHERE (SELECT true FROM stock_log l WHERE l.order_id = input.order_id AND l.action = 'deduct') IS NULL
            WINDOW same AS (PARTITION BY x.sku)
            ORDER BY x.sku),
        held AS (
            SELECT order_id, items, line.sku, wanted, max(p.available) OVER (PARTITION BY line.sku) AS available
            FROM line LEFT JOIN LATERAL (
                SELECT available FROM product WHERE product.sku = line.sku AND line.is_first AND NOT flash
                FOR NO KEY UPDATE
            ) p ON true),
        verdict AS (
            SELECT order_id, items, min(sku) FILTER (WHERE coalesce(available, -1) < wanted) AS short
            FROM held GROUP BY order_id, items),
        logged AS (
            INSERT INTO stock_log (order_id, action, items, rejected)
            SELECT order_id, 'deduct', items,
                   CASE WHEN short IS NOT NULL THEN 'not enough stock of ' || short || settle.at_check('product', ARRAY[short])
                   END
            FROM verdict WHERE short IS NULL OR $3::bool
            ORDER BY order_id
            ON CONFLICT DO NOTHING RETURNING order_id, items, rejected),
        wanted AS (
            SELECT x.sku, sum(x.quantity) AS quantity
            FROM logged, jsonb_to_recordset(items) AS x (sku text, quantity integer)
            WHERE rejected IS NULL GROUP BY x.sku),
        taken AS (
            UPDATE product p
            SET available = p.available - ((SELECT jsonb_object_agg(sku, quantity) FROM wanted) -> p.sku)::bigint
            WHERE p.sku = ANY (ARRAY(SELECT sku FROM wanted)))
        SELECT order_id, rejected FROM logged
        """
}
