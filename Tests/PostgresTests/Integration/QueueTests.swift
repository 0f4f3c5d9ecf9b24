import SettlePostgres
import ServiceLifecycle
import SettleTestSupport
import Synchronization
import Testing

@Suite("The queue before the connections", .enabled(if: TestServer.isAvailable))
struct QueueTests {
    /// Keeps the only connection busy until the lock is given free, and waits until it is.
    private func occupied<R>(
        _ database: PostgresDatabase, by straight: PostgresDatabase, _ body: () async throws -> R
    ) async throws -> R {
        // Before that even the first job waits, and may wait too long.
        try await eventually("the connection is open") { database.isUp }
        _ = try await straight.query("SELECT pg_advisory_lock(1)")
        async let blocked = database.query("SELECT pg_advisory_xact_lock(1)")
        try await eventually("the connection is busy") {
            try await !straight.query(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
                    + "(SELECT oid FROM pg_database WHERE datname = current_database())"
            ).isEmpty
        }
        let result: Result<R, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        _ = try await straight.query("SELECT pg_advisory_unlock(1)")
        _ = try await blocked
        return try result.get()
    }

    @Test("beyond the bound: overloaded at once, and nothing done")
    func bound() async throws {
        try await withProxiedDatabase(configure: { $0.maxWaiting = 3 }) { database, straight, _ in
            _ = try await straight.query("CREATE TABLE t (id int)")
            let tasks = try await occupied(database, by: straight) {
                let tasks = (1...3).map { id in
                    Task { try await database.query("INSERT INTO t VALUES ($1)", [.int(id)]) }
                }
                // Which of them came first is not known, but once the queue is full every further one is refused.
                try await eventually("full") {
                    let probe = Task { try await database.query("INSERT INTO t VALUES (4)") }
                    try await Task.sleep(for: .milliseconds(5))
                    probe.cancel()
                    do { _ = try await probe.value } catch let error as PostgresError {
                        return error.kind == .overloaded
                    } catch is CancellationError {}
                    return false
                }
                return tasks
            }
            for task in tasks { _ = try await task.value }
            let rows = try await straight.query("SELECT count(*) AS n, max(id) AS max FROM t")
            #expect(try rows[0].decode(Int.self, "n") == 3 && rows[0].decode(Int.self, "max") == 3)
        }
    }

    @Test("waiting too long: overloaded, and nothing done")
    func waitTimeout() async throws {
        try await withProxiedDatabase(configure: { $0.waitTimeout = .milliseconds(100) }) { database, straight, _ in
            _ = try await straight.query("CREATE TABLE t (id int)")
            try await occupied(database, by: straight) {
                let error = try await failure { try await database.query("INSERT INTO t VALUES (1)") }
                #expect(error.kind == .overloaded && error.isUnavailable)
            }
            #expect(try await straight.query("SELECT * FROM t").isEmpty)
        }
    }

    @Test("a cancelled task leaves the queue at once; what runs is finished")
    func cancellation() async throws {
        try await withProxiedDatabase { database, straight, _ in
            _ = try await straight.query("CREATE TABLE t (id int)")
            try await occupied(database, by: straight) {
                let waiting = Task { try await database.query("INSERT INTO t VALUES (1)") }
                waiting.cancel()
                await #expect(throws: CancellationError.self) { try await waiting.value }
                let cancelledBefore = Task {
                    unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                    return try await database.query("INSERT INTO t VALUES (2)")
                }
                await #expect(throws: CancellationError.self) { try await cancelledBefore.value }
            }
            #expect(try await straight.query("SELECT * FROM t").isEmpty)
        }
    }

    @Test("graceful shutdown finishes what was accepted, then refuses")
    func shutdown() async throws {
        try await withNewDatabase { name in
            var configuration = try TestServer.configuration(database: name)
            configuration.connections = 2
            let database = PostgresDatabase(configuration, logger: quiet)
            let group = ServiceGroup(
                configuration: .init(services: [.init(service: database)], logger: quiet))
            let run = Task { try await group.run() }
            try await database.script("CREATE TABLE t (id int)")
            let accepted = Counter()
            try await withThrowingTaskGroup { tasks in
                for _ in 1...64 {
                    tasks.addTask {
                        do {
                            while true {
                                try await database.transaction { $0.add("INSERT INTO t VALUES (1)") }
                                if accepted.increment() == 500 { await group.triggerGracefulShutdown() }
                            }
                        } catch let error as PostgresError where error.kind == .closed {}
                    }
                }
                try await tasks.waitForAll()
            }
            try await run.value
            #expect(!database.isUp)
            #expect(try await failure { try await database.query("SELECT 1") }.kind == .closed)
            let after = try PostgresDatabase(TestServer.configuration(database: name), logger: quiet)
            try await serving([after]) {
                let rows = try await after.query("SELECT count(*) AS n FROM t")
                #expect(try rows[0].decode(Int.self, "n") == accepted.value)
            }
        }
    }
}

final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    @discardableResult
    func increment() -> Int { count.add(1, ordering: .relaxed).newValue }
}
