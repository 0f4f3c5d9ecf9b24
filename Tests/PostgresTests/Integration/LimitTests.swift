import Foundation
import SettleTestSupport
import Testing

@testable import SettlePostgres

@Suite("The server's limits", .enabled(if: TestServer.isAvailable))
struct LimitTests {
    @Test("a statement that takes too long is ended, and the connection lives on")
    func statementTimeout() async throws {
        try await withDatabase(configure: { $0.statementTimeout = .milliseconds(50) }) { database in
            let error = try await failure { try await database.query("SELECT pg_sleep(10)") }
            #expect(error.kind == .server && error.sqlState == "57014")
            #expect(try await database.query("SELECT 1").count == 1)
        }
    }

    @Test("a lock that is held too long: the code says so")
    func lockTimeout() async throws {
        try await withDatabase(connections: 2, configure: { $0.lockTimeout = .milliseconds(50) }) { database in
            try await database.script("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
            let held = DispatchSemaphore(value: 0)
            let done = DispatchSemaphore(value: 0)
            let holder = Task {
                try await database.transaction { transaction in
                    _ = try transaction.query("SELECT * FROM t FOR UPDATE")
                    held.signal()
                    _ = done.wait(timeout: .now() + 10)
                }
            }
            try await eventually("the row is locked") { held.wait(timeout: .now()) == .success }
            let error = try await failure { try await database.query("UPDATE t SET id = 2") }
            #expect(error.sqlState == "55P03" && error.isLockTimeout && !error.isUnavailable)
            done.signal()
            try await holder.value
        }
    }

    @Test("a transaction that stands open too long is ended: lost, nothing done")
    func idleInTransaction() async throws {
        try await withDatabase(configure: { $0.idleInTransactionTimeout = .milliseconds(50) }) { database in
            try await database.script("CREATE TABLE t (id int)")
            let error = try await failure {
                try await database.transaction { transaction in
                    _ = try transaction.query("INSERT INTO t VALUES (1)")
                    // What a body must not do: keep its connection waiting for something else.
                    Thread.sleep(forTimeInterval: 0.5)
                    transaction.add("INSERT INTO t VALUES (2)")
                }
            }
            #expect(error.kind == .connectionLost)
            #expect(try await database.query("SELECT * FROM t").isEmpty)
        }
    }

    @Test("conflicts of serializable transactions and deadlocks are told apart from outages")
    func conflicts() async throws {
        try await withDatabase(connections: 2) { database in
            try await database.script("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0), (2, 0)")
            let met = [DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)]
            let results = await withTaskGroup(of: PostgresError?.self) { group in
                for side in 0...1 {
                    group.addTask {
                        do {
                            try await database.transaction { transaction in
                                _ = try transaction.query("UPDATE t SET n = 1 WHERE id = $1", [.int(1 + side)])
                                met[side].signal()
                                _ = met[1 - side].wait(timeout: .now() + 10)
                                _ = try transaction.query("UPDATE t SET n = 1 WHERE id = $1", [.int(2 - side)])
                            }
                            return nil
                        } catch {
                            return error as? PostgresError
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let errors = results.compactMap { $0 }
            #expect(errors.count == 1)
            #expect(errors.first?.isSerializationConflict == true && errors.first?.isUnavailable == false)
        }
    }

    @Test("the client waits as long as the server's own limit says, whoever set it")
    func limitInTheURL() async throws {
        try await withNewDatabase { name in
            let url = try #require(TestServer.url.flatMap { URLComponents(string: $0) })
            var components = url
            components.path = "/" + name
            components.queryItems = [URLQueryItem(name: "options", value: "-c statement_timeout=60000")]
            var configuration = try PostgresConfiguration(url: #require(components.string))
            configuration.connections = 1
            (configuration.statementTimeout, configuration.patience) = (.milliseconds(100), .milliseconds(100))
            let database = PostgresDatabase(configuration, logger: quiet)
            try await serving([database]) {
                let rows = try await database.query("SELECT pg_sleep(1), current_setting('statement_timeout') AS limit")
                #expect(try rows[0].decode(String.self, "limit") == "1min")
            }
        }
    }

    @Test("past its own limit the client has the server stop: the outcome is known, and the connection lives on")
    func cancelled() async throws {
        try await withDatabase(
            connections: 1, configure: { ($0.statementTimeout, $0.patience) = (.milliseconds(100), .seconds(2)) }
        ) { database in
            try await database.script("CREATE TABLE t (id int)")
            let pid = try await backend(database)
            let error = try await failure {
                try await database.transaction { transaction in
                    // The server has no limit then, so that only the client's is left.
                    transaction.add("SET LOCAL statement_timeout = 0")
                    transaction.add("INSERT INTO t VALUES (1)")
                    transaction.add("SELECT pg_sleep(60)")
                }
            }
            #expect(error.kind == .server && error.sqlState == "57014")
            #expect(try await database.query("SELECT * FROM t").isEmpty)
            #expect(try await backend(database) == pid)
        }
    }

    @Test("a process that gives up leaves no statement running on the server")
    func givenUp() async throws {
        try await withDatabase { straight in
            let name = try await straight.query("SELECT current_database()::text")[0].decode(String.self, at: 0)
            let running = """
                SELECT 1 FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep%'
                  AND state = 'active'
                """
            let database = try PostgresDatabase(TestServer.configuration(database: name), logger: quiet)
            let run = Task { try await database.run() }
            let call = Task { try await database.query("SELECT pg_sleep(25)") }
            try await eventually("it runs") { try await !straight.query(running).isEmpty }
            run.cancel()
            _ = try await failure { try await call.value }
            try await eventually("it has ended") { try await straight.query(running).isEmpty }
            try await run.value
        }
    }

    private func backend(_ database: PostgresDatabase) async throws -> Int {
        try await database.query("SELECT pg_backend_pid()")[0].decode(Int.self, at: 0)
    }
}
