import Foundation
import Logging
import SettleTestSupport
import Synchronization
import Testing

@testable import SettlePostgres

@Suite("A server that is away", .enabled(if: TestServer.isAvailable))
struct AvailabilityTests {
    @Test("calls fail at once while it is away, and work again when it is back")
    func awayAndBack() async throws {
        try await withProxiedDatabase(connections: 4) { database, _, proxy in
            _ = try await database.query("SELECT 1")
            #expect(database.isUp)
            proxy.stop()
            // An idle connection is looked at now and then, so this needs no call to notice.
            try await eventually("seen as down") { !database.isUp }
            let start = ContinuousClock.now
            for _ in 1...100 {
                #expect(try await failure { try await database.query("SELECT 1") }.kind == .unavailable)
            }
            #expect(ContinuousClock.now - start < .seconds(1))
            try proxy.start()
            try await eventually("up again") { database.isUp }
            _ = try await database.query("SELECT 1")
        }
    }

    @Test("a call made before the first attempt to connect waits for it")
    func early() async throws {
        try await withNewDatabase { name in
            let database = try PostgresDatabase(TestServer.configuration(database: name), logger: quiet)
            let early = Task { try await database.query("SELECT 1") }
            try await serving([database]) { _ = try await early.value }
        }
    }

    @Test("a server that is away from the start: unavailable, without the password in the log")
    func neverThere() async throws {
        let proxy = try TCPProxy(target: 1) { _ in .forward }
        proxy.stop()
        let configuration = try PostgresConfiguration(url: "postgres://user:secret@127.0.0.1:\(proxy.port)/none")
        let log = LogCollector()
        let database = PostgresDatabase(configuration, logger: Logger(label: "test") { _ in log.handler })
        try await serving([database]) {
            let error = try await failure { try await database.query("SELECT 1") }
            #expect(error.kind == .unavailable && error.isUnavailable)
            #expect(!"\(error)".contains("secret"))
            try await eventually("logged") { !log.lines.isEmpty }
            #expect(log.lines.allSatisfy { !$0.contains("secret") })
            #expect(log.lines.count == 1)
        }
    }

    @Test("a pool below its size says so once, stays up, and says when it is whole")
    func incomplete() async throws {
        let isFull = Counter()
        let proxy = try TCPProxy(target: UInt16(TestServer.port)) { chunk in
            chunk.connection > 1 && isFull.value == 0 ? .cut : .forward
        }
        defer { proxy.stop() }
        var configuration = try TestServer.configuration(database: "postgres", port: Int(proxy.port))
        configuration.connections = 3
        let log = LogCollector()
        let database = PostgresDatabase(configuration, logger: Logger(label: "test") { _ in log.handler })
        func told(_ text: String) -> Int { log.lines.filter { $0.contains(text) }.count }
        try await serving([database]) {
            try await eventually("told") { told("some database connections cannot be opened") == 1 && database.isUp }
            _ = try await database.query("SELECT 1")
            isFull.increment()
            try await eventually("whole") { told("all database connections are open") == 1 }
            #expect(told("cannot be opened") == 1)
        }
    }

    @Test("a server that hangs is given up after the statement's limit")
    func hangs() async throws {
        let isHung = Gate()
        try await withProxiedDatabase(
            configure: { ($0.statementTimeout, $0.patience) = (.milliseconds(100), .milliseconds(100)) },
            judge: { _ in
                isHung.passIfOpen()
                return .forward
            }
        ) { database, _, proxy in
            _ = try await database.query("SELECT 1")
            isHung.shut()
            defer { isHung.open() }
            #expect(try await failure { try await database.query("INSERT INTO t VALUES (1)") }.kind == .commitUnknown)
        }
    }
}

/// A door that a proxy's threads wait at while it is shut.
private final class Gate: @unchecked Sendable {
    private let condition = NSCondition()
    /// Guarded by `condition`.
    private var isShut = false

    func shut() { set(true) }
    func open() { set(false) }

    func passIfOpen() {
        condition.lock()
        while isShut { condition.wait() }
        condition.unlock()
    }

    private func set(_ value: Bool) {
        condition.lock()
        isShut = value
        condition.broadcast()
        condition.unlock()
    }
}
