import SettleCore
import SettlePostgres
import Settle
import ShopContract

/// Gives back, once, what an order had taken, be it by a task or under a global transaction. What was never taken is
/// not given back.
struct RestockApplier: TaskApplier {
    let database: PostgresDatabase
    /// What came back of flash products is to be counted where their stock is.
    var given: @Sendable () -> Void = {}

    func dedupKey(of body: StockChange) -> String { body.orderId }

    func check(_ body: StockChange) throws { try body.check() }

    func rows(of body: StockChange) -> [String] { body.items.map(\.sku) }

    func held(among rows: [String]) async throws -> Set<ByteKey> {
        try await RowProbe(database, table: "product", key: "sku", enrolled: true).held(among: rows)
    }

    func decided(_ tasks: [ReceivedTask<StockChange>]) async throws -> [TaskOutcome?] {
        try await before(try tasks.map { try StockLogEntry($0.body) })
    }

    func apply(_ tasks: [ReceivedTask<StockChange>]) async throws -> [TaskOutcome] {
        try await decideAll(try tasks.map { try StockLogEntry($0.body) }) { entries in
            try await decideInTurn(entries, [together, before])
        }
    }

    private func together(_ entries: [StockLogEntry]) async throws -> [TaskOutcome?] {
        let logged = try await database.query(
            Self.restock, StockLogEntry.parameters(entries) + [.texts(entries.map(\.xid))])
        given()
        return try StockLogEntry.outcomes(of: entries, logged: logged)
    }

    private func before(_ entries: [StockLogEntry]) async throws -> [TaskOutcome?] {
        try await StockLogEntry.decided(entries, "restock", in: database)
    }

    /// Answers with the orders that it has logged. The same lock order as when taking, and as there no step joins the batch
    /// with itself.
    static let restock = """
        WITH logged AS (
            INSERT INTO stock_log (order_id, action, items, rejected)
            SELECT order_id, 'restock', items,
                   CASE WHEN xid IS NULL AND (
                       SELECT l.items FROM stock_log l
                       WHERE l.order_id = input.order_id AND l.action = 'deduct' AND l.rejected IS NULL
                   ) IS DISTINCT FROM items THEN 'these items were not taken'
                   WHEN (SELECT b.state FROM settle.branch b WHERE b.xid = input.xid LIMIT 1) = 'rolledBack'
                   THEN 'these items were given back already' END
            FROM unnest($1::text[], $2::jsonb[], $3::text[]) AS input (order_id, items, xid)
            ORDER BY order_id
            ON CONFLICT DO NOTHING RETURNING order_id, items, rejected),
        line AS (
            SELECT x.sku, sum(x.quantity) AS quantity
            FROM logged, jsonb_to_recordset(items) AS x (sku text, quantity integer)
            WHERE rejected IS NULL GROUP BY x.sku),
        held AS (
            SELECT sku FROM product WHERE sku = ANY (ARRAY(SELECT sku FROM line)) ORDER BY sku FOR NO KEY UPDATE),
        given AS (
            UPDATE product p
            SET available = p.available + ((SELECT jsonb_object_agg(sku, quantity) FROM line) -> p.sku)::bigint
            WHERE p.sku = ANY (ARRAY(SELECT sku FROM held)) RETURNING p.sku, p.flash),
        counted AS (
            INSERT INTO flash_given (sku, quantity)
            SELECT sku, ((SELECT jsonb_object_agg(sku, quantity) FROM line) -> sku)::bigint FROM given WHERE flash)
        SELECT order_id, rejected FROM logged
        """
}
