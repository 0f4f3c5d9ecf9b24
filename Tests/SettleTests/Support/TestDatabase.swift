import Foundation
import SettlePostgres
import SettleSchema
import SettleTestSupport
import Testing

/// A database of its own for one test, with the tables of the common module and one that receivers write to.
struct TestDatabase {
    let url: String
    let pool: PostgresDatabase

    /// Where two tasks with one key show, and two applications of one task.
    static let ledger = Migration(
        name: "ledger",
        sql: """
            CREATE TABLE ledger (key text PRIMARY KEY, amount bigint NOT NULL CHECK (amount >= 0));
            CREATE TABLE balance (amount bigint NOT NULL);
            INSERT INTO balance VALUES (0);
            """)

    /// - Parameters:
    ///   - before: SQL that is run first of all.
    ///   - schemas: where `task` and `task_his` are.
    static func with<Result: Sendable>(
        before: String = "", schemas: [SchemaName] = [.public], _ body: (TestDatabase) async throws -> Result
    ) async throws -> Result {
        try await empty { database in
            try await database.pool.script(before)
            for schema in schemas {
                try await PostgresMigrator.apply(SettleSchema.tasks(in: schema), on: database.pool)
            }
            try await PostgresMigrator.apply(SettleSchema.setAside, on: database.pool)
            try await PostgresMigrator.apply([ledger], set: "ledger", on: database.pool)
            return try await body(database)
        }
    }

    /// The same without a table.
    static func empty<Result: Sendable>(_ body: (TestDatabase) async throws -> Result) async throws -> Result {
        let server = try #require(Testbed.postgresURL)
        let name = "settle_test_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        let admin = try connect(server, connections: 1)
        return try await serving([admin]) {
            _ = try await admin.query("CREATE DATABASE \(name)")
            var parts = try #require(URLComponents(string: server))
            parts.path = "/" + name
            let url = try #require(parts.string)
            let pool = try connect(url, connections: 3)
            let result: Swift.Result<Result, any Error>
            do {
                result = .success(
                    try await serving([pool]) { try await body(TestDatabase(url: url, pool: pool)) })
            } catch {
                result = .failure(error)
            }
            _ = try await admin.query("DROP DATABASE \(name) WITH (FORCE)")
            return try result.get()
        }
    }

    static func connect(
        _ url: String, connections: Int, statementTimeout: Duration = .seconds(30), lockTimeout: Duration? = nil
    ) throws -> PostgresDatabase {
        var configuration = try PostgresConfiguration(url: url)
        configuration.connections = connections
        configuration.statementTimeout = statementTimeout
        configuration.lockTimeout = lockTimeout
        return PostgresDatabase(configuration, logger: quiet)
    }

    /// The number that `sql` asks for.
    func number(_ sql: String, _ parameters: [PostgresValue] = []) async throws -> Int {
        let rows = try await pool.query(sql, parameters)
        return try #require(rows.first).decode(Int.self, at: 0)
    }

    /// A task per key, due `after` from now, as if another process had written it.
    func insertTasks(_ keys: some Sequence<String>, dueAfter: Duration = .zero, route: TestRoute) async throws {
        _ = try await pool.query(
            """
            INSERT INTO task (task_type, business_key, mq_exchange, mq_routingkey, request_body, due_time)
            SELECT $2, key, $3, $4, json_build_object('key', key, 'amount', 1)::text, now() + $5 * interval '1 second'
            FROM unnest($1::text[]) AS key
            """,
            [
                .texts(Array(keys)), .text(route.taskType), .text(route.exchange), .text(route.routingKey),
                .int64(dueAfter.components.seconds),
            ])
    }
}
