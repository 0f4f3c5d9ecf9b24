import Foundation
import Postgres
import Testing

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
}
