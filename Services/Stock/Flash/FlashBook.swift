import Foundation
import SettlePostgres
import ShopContract

/// The book of flash products: what `product` says of them, which epoch Redis counts in, and which server process.
struct FlashBook: Sendable {
    struct Epoch: Sendable, Equatable {
        let number: Int64
        let runID: String
    }

    /// What the count in Redis must be.
    struct Count: Sendable {
        var epoch: Epoch
        var products: [(sku: String, available: Int64)] = []
        /// What branches have taken that wait for their end: name and items, as `FlashScripts.take` keeps them.
        var kept: [(key: String, items: String)] = []
    }

    let database: PostgresDatabase

    func epoch() async throws -> Epoch {
        let row = try await database.query("SELECT epoch, run_id FROM flash_epoch")[0]
        return Epoch(number: try row.decode(Int64.self, at: 0), runID: try row.decode(String.self, at: 1))
    }

    /// What each flash product costs.
    func prices() async throws -> [(sku: String, price: Int64)] {
        try await database.query("SELECT sku, unit_price FROM product WHERE flash").map {
            (try $0.decode(String.self, at: 0), try $0.decode(Int64.self, at: 1))
        }
    }

    /// Begins the next epoch, at the server process `runID`; nil when somebody has begun one after `known`, or a product is
    /// being changed.
    ///
    /// - Parameter least: its number is no less.
    func next(after known: Epoch, least: Int64, runID: String) async throws -> Count? {
        try await database.transaction { transaction in
            let row = try transaction.query(
                "SELECT epoch, coalesce(closed_until > now(), false) FROM flash_epoch FOR UPDATE")[0]
            guard try row.decode(Int64.self, at: 0) == known.number, try !row.decode(Bool.self, at: 1) else {
                return nil
            }
            let number = max(known.number + 1, least)
            transaction.add(
                "UPDATE flash_epoch SET epoch = $1, run_id = $2, begun_at = now()", [.int64(number), .text(runID)])
            // One statement for what must agree at one moment: the book, the branches that have taken from it, and what was to
            // be added to Redis, which is in the book already.
            var count = Count(epoch: Epoch(number: number, runID: runID))
            var kept: [String: (items: [String], isSure: Bool)] = [:]  // ours
            for row in try transaction.query(Self.count) {
                let (sku, quantity) = (try row.decode(String.self, at: 1), try row.decode(Int64.self, at: 2))
                if let name = try row.decode(String?.self, at: 0) {
                    let isSure = try row.decode(Bool.self, at: 3)
                    kept[name, default: ([], isSure)].items += [sku, String(quantity)]
                } else {
                    count.products.append((sku, quantity))
                }
            }
            count.kept = try kept.map { name, taken in
                let items = String(decoding: try JSONEncoder().encode(taken.items), as: UTF8.self)
                return (name, (taken.isSure ? "" : FlashScripts.unsure) + items)
            }
            return count
        }
    }

    /// Of these branches, those that wait for their end.
    func waiting(_ keys: [String]) async throws -> Set<String> {  // ours
        let xids = keys.map { String($0.prefix { $0 != "/" }) }
        return Set(
            try await database.query(
                """
                SELECT xid || '/' || branch_id FROM settle.branch
                WHERE xid = ANY ($1::text[]) AND mode = 'mt' AND state = 'undecided'
                """, [.texts(xids)]
            ).map { try $0.decode(String.self, at: 0) })
    }

    /// Of these branches, those that were committed.
    func committed(_ keys: [String]) async throws -> Set<String> {  // ours
        let xids = keys.map { String($0.prefix { $0 != "/" }) }
        return Set(
            try await database.query(
                """
                SELECT xid || '/' || branch_id FROM settle.branch
                WHERE xid = ANY ($1::text[]) AND mode = 'mt' AND state = 'committed'
                """, [.texts(xids)]
            ).map { try $0.decode(String.self, at: 0) })
    }

    /// What came back to the book and is to be added in Redis, the oldest first.
    func given() async throws -> [(id: Int64, sku: String, quantity: Int64)] {
        try await database.query("SELECT id, sku, quantity FROM flash_given ORDER BY id LIMIT 500").map {
            (try $0.decode(Int64.self, at: 0), try $0.decode(String.self, at: 1), try $0.decode(Int64.self, at: 2))
        }
    }

    func added(_ ids: [Int64]) async throws {
        _ = try await database.query("DELETE FROM flash_given WHERE id = ANY ($1::bigint[])", [.int64s(ids)])
    }

    /// Undecided branches of mode `mt` with their items; few, as each ends in milliseconds. Without an answer, one may not have
    /// taken them.
    private static let taken = """
        SELECT b.xid || '/' || b.branch_id AS name, x.sku, x.quantity, b.answer IS NOT NULL AS is_sure
        FROM settle.branch b, jsonb_to_recordset(b.request::jsonb -> 'items') AS x (sku text, quantity bigint)
        WHERE b.state = 'undecided' AND b.mode = 'mt' AND b.action = '\(ShopActions.deduct)'
        """

    /// Below zero where branches that are being prepared ask for more than there is: `FlashScripts.take` sees to that.
    static let count = """
        WITH taken AS MATERIALIZED (\(taken)),
        given AS (DELETE FROM flash_given)
        SELECT NULL::text, p.sku, (p.available - coalesce(t.quantity, 0))::bigint, true
        FROM product p LEFT JOIN (SELECT sku, sum(quantity) AS quantity FROM taken GROUP BY sku) t ON t.sku = p.sku
        WHERE p.flash
        UNION ALL
        SELECT name, sku, quantity, is_sure FROM taken
        """

    /// No epoch begins until `change`, or for ten seconds, should this process die.
    ///
    /// - Returns: false when somebody else changes a product just now.
    func close(by token: String) async throws -> Bool {
        try await database.query(
            """
            UPDATE flash_epoch SET closed_by = $1, closed_until = now() + interval '10 seconds'
            WHERE closed_until IS NULL OR closed_until < now() RETURNING true
            """, [.text(token)]
        ).first != nil
    }

    /// Ends `close`, with the transaction that changes a product.
    static func reopen(by token: String, in transaction: borrowing PostgresTransaction) {
        transaction.add(Self.reopening, [.text(token)])
    }

    private static let reopening = "UPDATE flash_epoch SET closed_until = NULL WHERE closed_by = $1"

    /// Ends `close`, whether it was of use or not.
    func reopen(by token: String) async throws {
        _ = try await database.query(Self.reopening, [.text(token)])
    }

    /// Inside the transaction that changes a product: false when it took too long, and counting has begun again.
    static func isClosed(by token: String, in transaction: borrowing PostgresTransaction) throws -> Bool {
        try transaction.query(
            "SELECT FROM flash_epoch WHERE closed_by = $1 AND closed_until > clock_timestamp() FOR UPDATE",
            [.text(token)]
        ).first != nil
    }

    /// How many of a product are taken by branches that wait for their end.
    static let takenOf = "SELECT coalesce(sum(quantity), 0)::bigint FROM (\(taken)) t WHERE sku = $1"
}
