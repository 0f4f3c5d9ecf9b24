import SettleCore
import SettlePostgres

/// Forgets archived tasks that were answered longer ago than the retention, where one is set.
///
/// Along the primary key: ids are given in the order of time. `create_time` says how far a round need go, since no task
/// is archived before it is created; one that was answered late is walked past and looked at again by later rounds.
final class TaskHistoryPurge: Sendable {
    private let retention: Duration
    private let batchSize: Int
    private let walk = PurgeWalk<Int64>()

    init(retention: Duration, batchSize: Int) {
        self.retention = retention
        self.batchSize = batchSize
    }

    /// One round; returns how many were forgotten.
    func round(in database: PostgresDatabase) async throws -> Int {
        try await walk.round(batchSize: batchSize) { key in
            let statement = batch(after: key)
            let rows = try await database.transaction { transaction in
                transaction.add(TransactionPurge.alongTheIndex)
                return try transaction.query(statement.sql, statement.parameters)
            }
            return PurgeWalk.Step(
                last: try rows[0].decode(Int64?.self, at: 2), walked: try rows[0].decode(Int.self, at: 0),
                purged: try rows[0].decode(Int.self, at: 1))
        }
    }

    func batch(after key: Int64?) -> (sql: String, parameters: [PostgresValue]) {
        let sql = """
            WITH walked AS MATERIALIZED (
                SELECT id, create_time < now() - $1 * interval '1 millisecond' AS may_be_old,
                       delete_time < now() - $1 * interval '1 millisecond' AS is_old
                FROM task_his WHERE id > $2 ORDER BY id LIMIT \(batchSize)),
            gone AS (DELETE FROM task_his WHERE id = ANY (ARRAY(SELECT id FROM walked WHERE is_old)) RETURNING 1)
            SELECT count(*) FILTER (WHERE may_be_old), (SELECT count(*) FROM gone), max(id) FILTER (WHERE may_be_old)
            FROM walked
            """
        return (sql, [.int(retention.milliseconds), .int64(key ?? .min)])
    }
}
