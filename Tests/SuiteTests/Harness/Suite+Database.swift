import SettlePostgres
import SettleTestSupport
import Testing

extension Suite {
    /// Rows of a service's database. A question changes nothing, so it is put again while the database is away.
    func rows(_ role: Role, _ sql: String, _ parameters: [PostgresValue] = []) async throws -> PostgresRows {
        let database = try #require(databases[role])
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            do {
                return try await database.query(sql, parameters)
            } catch let error as PostgresError where error.isUnavailable && ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    func number(_ role: Role, _ sql: String, _ parameters: [PostgresValue] = []) async throws -> Int {
        try #require(try await rows(role, sql, parameters).first).decode(Int.self, at: 0)
    }

    /// What PostgreSQL counts in a service's database (a column of `pg_stat_database`), once the service is stopped: a
    /// backend reports what it has counted within ten seconds of its last work, or when it ends.
    func counted(_ column: String, at role: Role) async throws -> Int {
        try await eventually("the connections of \(role.rawValue) have ended") {
            try await self.number(
                role,
                "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()") == 0
        }
        return try await number(role, "SELECT \(column) FROM pg_stat_database WHERE datname = current_database()")
    }

    /// Waits until no order is under way and no task unanswered.
    func awaitSettled(within limit: Duration = .seconds(60)) async throws {
        try await eventually("all settled", within: limit, every: .milliseconds(50), otherwise: unsettled) {
            try await self.number(
                .order,
                """
                SELECT (SELECT count(*) FROM orders WHERE status IN ('placed', 'cancelling'))
                     + (SELECT count(*) FROM task)
                """) == 0
        }
    }

    /// What is under way, for a person to read.
    private func unsettled() async -> String {
        do {
            let lines = try await rows(
                .order,
                """
                SELECT 'orders ' || status || ': ' || count(*) FROM orders GROUP BY status
                UNION ALL
                SELECT 'task ' || task_type || ' ' || status || ', attempts ' || attempts || ', '
                       || coalesce(errormsg, 'no errormsg') || ': ' || count(*) || ', due from '
                       || min(due_time - now()) || ' to ' || max(due_time - now())
                FROM task GROUP BY task_type, status, attempts, errormsg
                """)
            let queues = try await queueLengths()
            return (try lines.map { try $0.decode(String.self, at: 0) } + ["queues: \(queues)"]).joined(separator: "\n")
        } catch {
            return "\(error)"
        }
    }
}
