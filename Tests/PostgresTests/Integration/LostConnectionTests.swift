import Foundation
import SettlePostgres
import SettleTestSupport
import Synchronization
import Testing

/// Cuts the connection once, at the chunk a test waits for.
private final class Saboteur: Sendable {
    private let condition = Mutex<(@Sendable (TCPProxy.Chunk) -> Bool)?>(nil)

    func cutWhen(_ condition: @escaping @Sendable (TCPProxy.Chunk) -> Bool) {
        self.condition.withLock { $0 = condition }
    }

    func judge(_ chunk: TCPProxy.Chunk) -> TCPProxy.Verdict {
        condition.withLock { condition in
            guard let holds = condition, holds(chunk) else { return .forward }
            condition = nil
            return .cut
        }
    }
}

@Suite("Lost connections", .enabled(if: TestServer.isAvailable))
struct LostConnectionTests {
    private func withSaboteur<R: Sendable>(
        _ body: (_ database: PostgresDatabase, _ straight: PostgresDatabase, _ saboteur: Saboteur) async throws -> R
    ) async throws -> R {
        let saboteur = Saboteur()
        return try await withProxiedDatabase(judge: saboteur.judge) { database, straight, _ in
            try await straight.script("CREATE TABLE t (id int)")
            // Prepares what the tests send, so that the wire shows the values alone.
            try await database.transaction { transaction in
                transaction.add("SAVEPOINT makes_it_explicit")
                transaction.add("INSERT INTO t SELECT $1::int WHERE $2::text IS NULL", [0, "marker"])
            }
            return try await body(database, straight, saboteur)
        }
    }

    private func count(_ database: PostgresDatabase) async throws -> Int {
        try await database.query("SELECT count(*) AS n FROM t")[0].decode(Int.self, "n")
    }

    private func insert(_ database: PostgresDatabase, explicit: Bool = false) async throws {
        try await database.transaction { transaction in
            if explicit { transaction.add("SAVEPOINT makes_it_explicit") }
            transaction.add("INSERT INTO t SELECT $1::int WHERE $2::text = 'marker'", [1, "marker"])
        }
    }

    @Test("cut before the server reads COMMIT: unknown, and not done", arguments: [true, false])
    func beforeCommit(explicit: Bool) async throws {
        try await withSaboteur { database, straight, saboteur in
            saboteur.cutWhen { $0.direction == .toServer && $0.contains("marker") }
            let error = try await failure { try await insert(database, explicit: explicit) }
            #expect(error.kind == .commitUnknown && error.isUnavailable)
            #expect(try await count(straight) == 0)
            try await insert(database)
            #expect(try await count(straight) == 1)
        }
    }

    @Test("cut before the client reads COMMIT's reply: unknown, and done once", arguments: [true, false])
    func afterCommit(explicit: Bool) async throws {
        try await withSaboteur { database, straight, saboteur in
            // The first bytes that the server sends from now on are the reply.
            saboteur.cutWhen { $0.direction == .toClient }
            let error = try await failure { try await insert(database, explicit: explicit) }
            #expect(error.kind == .commitUnknown)
            #expect(try await count(straight) == 1)
        }
    }

    @Test("cut in the middle of a transaction: lost, nothing done")
    func middle() async throws {
        try await withSaboteur { database, straight, saboteur in
            let error = try await failure {
                try await database.transaction { transaction in
                    _ = try transaction.query("INSERT INTO t VALUES (1)")
                    saboteur.cutWhen { $0.direction == .toClient }
                    _ = try transaction.query("INSERT INTO t VALUES (2)")
                }
            }
            #expect(error.kind == .connectionLost)
            #expect(try await count(straight) == 0)
        }
    }

    @Test("cut before the reply to a transaction's first query: sent again, unseen, done once")
    func firstQuery() async throws {
        try await withSaboteur { database, straight, saboteur in
            saboteur.cutWhen { $0.direction == .toClient }
            let id = try await database.transaction { transaction in
                try transaction.query("INSERT INTO t VALUES (1) RETURNING id")[0].decode(Int.self, "id")
            }
            #expect(id == 1)
            #expect(try await count(straight) == 1)
        }
    }

    @Test("cut before an autocommitted statement's reply: unknown; PREPARE TRANSACTION likewise")
    func autocommit() async throws {
        try await withSaboteur { database, straight, saboteur in
            saboteur.cutWhen { $0.direction == .toClient }
            #expect(try await failure { try await database.query("INSERT INTO t VALUES (1)") }.kind == .commitUnknown)
            #expect(try await count(straight) == 1)
            // Connects anew first.
            _ = try await database.query("SELECT 1")
            saboteur.cutWhen { $0.direction == .toClient }
            let gid = UUID().uuidString
            let error = try await failure {
                try await database.transaction(ending: .prepare(gid: gid)) { $0.add("INSERT INTO t VALUES (2)") }
            }
            #expect(error.kind == .commitUnknown)
            _ = try await straight.query("ROLLBACK PREPARED '\(gid)'")
        }
    }

    @Test("the server ends the connection itself: its word says that COMMIT was not read")
    func terminated() async throws {
        try await withDatabase(connections: 2) { database in
            try await database.script("CREATE TABLE t (id int)")
            // The second time too, on the new connection: then it is told.
            let error = try await failure {
                try await database.transaction { transaction in
                    transaction.add("INSERT INTO t VALUES (1)")
                    transaction.add("SELECT pg_terminate_backend(pg_backend_pid())")
                }
            }
            #expect(error.kind == .connectionLost && error.sqlState == "57P01")
            #expect(try await count(database) == 0)
        }
    }

    @Test("connections that died while idle fail no job", arguments: 1...3)
    func idle(round: Int) async throws {
        try await withNewDatabase { name in
            var configuration = try TestServer.configuration(database: name)
            configuration.connections = 4
            let database = PostgresDatabase(configuration, logger: quiet)
            let admin = try PostgresDatabase(TestServer.configuration(database: "postgres"), logger: quiet)
            try await serving([admin]) {
                try await serving([database]) {
                    try await database.script("CREATE TABLE t (id int)")
                    for _ in 1...5 {
                        _ = try await admin.query(
                            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                            [.text(name)])
                        try await withThrowingTaskGroup(of: Void.self) { group in
                            for id in 1...8 {
                                group.addTask { _ = try await database.query("INSERT INTO t VALUES ($1)", [.int(id)]) }
                                group.addTask { try await insert(database) }
                            }
                            try await group.waitForAll()
                        }
                    }
                    #expect(try await count(database) == 80)
                }
            }
        }
    }

    @Test("a job that meets a dead connection, which cannot be opened again, goes to one that is up", arguments: 1...3)
    func moved(round: Int) async throws {
        let isFull = Counter()
        try await withProxiedDatabase(
            connections: 2,
            judge: { chunk in
                // As a server that takes no more connections.
                if chunk.connection > 2, isFull.value > 0 { return .cut }
                return .forward
            }
        ) { database, straight, _ in
            try await straight.script("CREATE TABLE t (id int)")
            let pids = """
                SELECT pid FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid
                """
            try await eventually("both are open") { try await straight.query(pids).count == 2 }
            isFull.increment()
            let dead = try await straight.query(pids)[0].decode(Int.self, at: 0)
            _ = try await straight.query("SELECT pg_terminate_backend($1::int, 5000)", [.int(dead)])
            // At once: more of them than connections, in all the ways to begin.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for id in 1...2 {
                    group.addTask { _ = try await database.query("INSERT INTO t VALUES ($1)", [.int(id)]) }
                    group.addTask {
                        _ = try await database.transaction { $0.add("INSERT INTO t VALUES ($1)", [.int(id)]) }
                    }
                    group.addTask {
                        _ = try await database.transaction { transaction in
                            _ = try transaction.query("INSERT INTO t VALUES ($1)", [.int(id)])
                            return transaction.add("INSERT INTO t VALUES ($1)", [.int(id)])
                        }
                    }
                    group.addTask { try await database.script("INSERT INTO t VALUES (\(id))") }
                }
                try await group.waitForAll()
            }
            #expect(try await count(straight) == 10)
        }
    }
}
