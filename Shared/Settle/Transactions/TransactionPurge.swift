import SettleCore
import Foundation
import SettlePostgres

/// Forgets the rows of one table, keyed by XID, of transactions that ended longer ago than the retention.
///
/// Along the primary key, as XIDs made by `XID()` are in the order of time; and along an index of the foreign ones, which
/// need not be. What is not over is walked past, whatever its age. `BranchStore.purge` and `DecisionStore.purge` say which.
final class TransactionPurge: Sendable {
    private typealias ForeignKey = (createdAt: Date, xid: String)

    private let table: String
    private let isOver: String
    private let settings: TransactionSettings
    private let own = PurgeWalk<String>()
    private let foreign = PurgeWalk<ForeignKey>()

    /// - Parameter isOver: a condition on its rows; `limit` may be in it.
    init(_ table: String, isOver: String, _ settings: TransactionSettings) {
        self.table = table
        self.isOver = isOver
        self.settings = settings
    }

    /// One round; returns how many were forgotten.
    func round(in database: PostgresDatabase) async throws -> Int {
        try await own.round(batchSize: settings.batchSize) { key in
            let row = try await run(ownBatch(after: key), in: database)
            return PurgeWalk.Step(
                last: try row.decode(String?.self, at: 2), walked: try row.decode(Int.self, at: 0),
                purged: try row.decode(Int.self, at: 1))
        }
            + foreign.round(batchSize: settings.batchSize) { key in
                let row = try await run(foreignBatch(after: key), in: database)
                let last = try row.decode(String?.self, at: 2)
                let createdAt = try row.decode(Date?.self, at: 3)
                return PurgeWalk.Step(
                    last: last.flatMap { xid in createdAt.map { ($0, xid) } }, walked: try row.decode(Int.self, at: 0),
                    purged: try row.decode(Int.self, at: 1))
            }
    }

    private func run(_ statement: (sql: String, parameters: [PostgresValue]), in database: PostgresDatabase)
        async throws
        -> PostgresRow
    {
        let rows = try await database.transaction { transaction in
            transaction.planAlongTheIndex()
            return try transaction.query(statement.sql, statement.parameters)
        }
        // An aggregate without GROUP BY: there always is one.
        return rows[0]
    }

    /// The last time at which what is over may be forgotten; `$1` is the retention in milliseconds.
    static let limit = "now() - $1 * interval '1 millisecond'"

    /// The condition of the partial indexes.
    private static let isForeign =
        "(substr(xid, 15, 1) <> '7' OR length(xid) <> 36 OR xid COLLATE \"C\" >= '03bb2cc3-d800')"

    func ownBatch(after key: String?) -> (sql: String, parameters: [PostgresValue]) {
        let bound = XID.lowest(at: Date() - Double(settings.retention.milliseconds) / 1000)
        return (
            batch("xid > $2 AND xid < $3 ORDER BY xid", last: "NULL::timestamptz"),
            [.int(settings.retention.milliseconds), .text(key ?? ""), .text(bound)]
        )
    }

    private func foreignBatch(after key: ForeignKey?) -> (sql: String, parameters: [PostgresValue]) {
        (
            batch(
                "\(Self.isForeign) AND (created_at, xid) > ($2, $3) AND created_at < \(Self.limit) ORDER BY created_at, xid",
                last: "(SELECT created_at FROM walked ORDER BY number DESC LIMIT 1)"),
            [
                .int(settings.retention.milliseconds), .date(key?.createdAt ?? Date(timeIntervalSince1970: 0)),
                .text(key?.xid ?? ""),
            ]
        )
    }

    /// The array is worked out first, so the rows are found by the primary key. What is over stays over, hence it matters
    /// not that somebody may change a row between the look and the delete.
    private func batch(_ range: String, last createdAt: String) -> String {
        """
        WITH walked AS MATERIALIZED (
            SELECT row_number() OVER () AS number, w.* FROM (
                SELECT xid, created_at, created_at < \(Self.limit) AND \(isOver) AS is_old
                FROM \(table) WHERE \(range) LIMIT \(settings.batchSize)) w),
        gone AS (
            DELETE FROM \(table) WHERE xid = ANY (ARRAY(SELECT xid FROM walked WHERE is_old))
                AND created_at < \(Self.limit) AND \(isOver) RETURNING 1)
        SELECT (SELECT count(*) FROM walked), (SELECT count(*) FROM gone),
               (SELECT xid FROM walked ORDER BY number DESC LIMIT 1), \(createdAt)
        """
    }
}

extension XID {
    /// Below every XID that `init()` makes from `date` on, and above those from before.
    static func lowest(at date: Date) -> String {
        // The time is in the first 48 bits.
        String(UUID.v7(at: max(date, Date(timeIntervalSince1970: 0))).uuidString.lowercased().prefix(13))
    }
}
