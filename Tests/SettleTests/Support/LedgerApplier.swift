import SettlePostgres
import Settle
import Synchronization

/// A receiver whose every application shows: a row for each key, and a balance that each row raises.
final class LedgerApplier: TaskApplier {
    struct Entry: Codable, Sendable, Equatable {
        let key: String
        let amount: Int64
    }

    let database: PostgresDatabase
    /// What the next calls throw before they do anything.
    private let failures = Mutex<[any Error]>([])
    private let batches = Mutex<[Int]>([])
    private let looks = Mutex<[Int]>([])

    init(_ database: PostgresDatabase) {
        self.database = database
    }

    /// How many tasks each call had.
    var batchSizes: [Int] { batches.withLock { $0 } }
    /// How many tasks each look had that came first.
    var lookSizes: [Int] { looks.withLock { $0 } }
    /// Forgets the sizes.
    func forget() {
        batches.withLock { $0 = [] }
        looks.withLock { $0 = [] }
    }

    func failNext(_ errors: any Error...) { failures.withLock { $0 += errors } }

    func dedupKey(of body: Entry) -> String { body.key }

    func check(_ body: Entry) throws {
        guard body.amount != 666 else { throw UnreadableMessage(description: "an amount that makes no sense") }
    }

    func decided(_ tasks: [ReceivedTask<Entry>]) async throws -> [TaskOutcome?] {
        looks.withLock { $0.append(tasks.count) }
        return try await database.query(
            """
            SELECT ledger.amount = input.amount
            FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS input (key, amount, n)
            LEFT JOIN ledger ON ledger.key = input.key ORDER BY n
            """, [.texts(tasks.map(\.body.key)), .int64s(tasks.map(\.body.amount))]
        ).map { row in
            try row.decode(Bool?.self, at: 0).map {
                $0 ? .duplicate(.finished) : .conflict(reason: "another amount")
            }
        }
    }

    func apply(_ tasks: [ReceivedTask<Entry>]) async throws -> [TaskOutcome] {
        batches.withLock { $0.append(tasks.count) }
        if let failure = failures.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { throw failure }
        return try await decideAll(tasks.map(\.body)) { entries in
            let rows = try await database.query(
                """
                WITH input AS (
                    SELECT * FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS i (key, amount, n)),
                added AS (
                    INSERT INTO ledger (key, amount) SELECT key, amount FROM input WHERE amount <> 13 ORDER BY key
                    ON CONFLICT DO NOTHING RETURNING key, amount),
                raised AS (
                    UPDATE balance SET amount = balance.amount + a.amount FROM (SELECT sum(amount) AS amount FROM added) a
                    WHERE a.amount IS NOT NULL)
                SELECT added.key IS NOT NULL, ledger.amount = input.amount, input.amount = 13
                FROM input LEFT JOIN added USING (key) LEFT JOIN ledger ON ledger.key = input.key ORDER BY n
                """, [.texts(entries.map(\.key)), .int64s(entries.map(\.amount))])
            return try rows.map { row -> TaskOutcome? in
                if try row.decode(Bool.self, at: 2) { return .rejected(reason: "thirteen brings bad luck") }
                if try row.decode(Bool.self, at: 0) { return .applied }
                return try row.decode(Bool?.self, at: 1).map {
                    $0 ? .duplicate(.finished) : .conflict(reason: "another amount")
                }
            }
        }
    }
}
