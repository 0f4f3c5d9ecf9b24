import Foundation
import SettlePostgres
import SettleRabbitMQ
import SettleRedis
import ServiceLifecycle
import SettleTestSupport
import Synchronization
import Testing

/// The three services as real processes, and a test's own access to what they stand on.
final class Suite: Sendable {
    let surroundings: Surroundings
    let databases: [Role: PostgresDatabase]
    let redis: RedisClient
    /// For messages that no service would send.
    let publisher: RabbitMQPublisher
    let token = UUID().uuidString

    private let settings: [String: String]
    private let ports: [Role: Int]
    private let logs: URL
    private let processes = Mutex<[ServiceProcess]>([])

    /// Patient enough to be told from broken, impatient enough for a short test.
    static let quick = [
        "TASK_LEASE": "2s", "TASK_REPUBLISH_AFTER": "3s", "TASK_SCAN_INTERVAL": "200ms", "LOG_LEVEL": "info",
    ]

    private init(_ surroundings: Surroundings, settings: [String: String]) throws {
        self.surroundings = surroundings
        self.settings = Self.quick.merging(settings) { $1 }
        databases = try Dictionary(
            uniqueKeysWithValues: Role.everyone.map { role in
                var configuration = try PostgresConfiguration(url: surroundings.databaseURL(of: role))
                configuration.connections = 1
                return (role, PostgresDatabase(configuration, logger: quiet))
            })
        redis = RedisClient(try RedisConfiguration(url: surroundings.redisURL), logger: quiet)
        publisher = RabbitMQPublisher(
            try RabbitMQConfiguration(url: surroundings.amqpURL), topology: Topology(), logger: quiet)
        ports = try Dictionary(uniqueKeysWithValues: Role.everyone.map { ($0, try Ports.take()) })
        logs = FileManager.default.temporaryDirectory.appending(path: "settle-\(surroundings.name)")
        try FileManager.default.createDirectory(at: logs, withIntermediateDirectories: true)
    }

    /// Runs `body` on a suite of its own, which is up, ready and seeded unless `start` says otherwise, with the message
    /// centre where `centre` says so; ends all of it afterwards. A failure is followed by the ends of the services' logs.
    static func with(
        settings: [String: String] = [:], start: Bool = true, centre: Bool = false, _ body: (Suite) async throws -> Void
    ) async throws {
        let testbed = try #require(Testbed.current)
        let surroundings = try await Surroundings.make(testbed)
        let suite = try Suite(surroundings, settings: settings)
        FailureLog.current = suite.describe
        var failure: (any Error)?
        do {
            try await serving(suite.services) {
                try await suite.flushRedis()
                if start { try await suite.startAll(centre ? Role.everyone : Role.allCases) }
                try await body(suite)
                try await suite.stopAll()
            }
        } catch {
            failure = error
        }
        if let failure { Issue.record(failure) }
        for process in suite.running { try await process.crash() }
        if !FailureLog.hasFailed { try FileManager.default.removeItem(at: suite.logs) }
        FailureLog.current = nil
        try await surroundings.remove()
    }

    private var services: [any Service] { Array(databases.values) + [redis, publisher] }

    // MARK: Processes

    var running: [ServiceProcess] { processes.withLock { $0.filter(\.isRunning) } }

    /// The process that runs as `role`, the latest when there are several.
    func process(_ role: Role) throws -> ServiceProcess {
        try #require(processes.withLock { $0.last { $0.name.hasPrefix(role.rawValue) && $0.isRunning } })
    }

    /// The latest process that ran as `role`, if it has ended.
    func ended(_ role: Role) -> ServiceProcess? {
        processes.withLock { $0.last { $0.name.hasPrefix(role.rawValue) } }.flatMap { $0.isRunning ? nil : $0 }
    }

    /// Where a process of that name writes.
    func log(_ name: String) -> URL { logs.appending(path: name + ".log") }

    func port(_ role: Role) -> Int { ports[role] ?? 0 }

    /// Starts one process; `replica` is a second one beside it, with a port of its own.
    @discardableResult
    func start(_ role: Role, replica: Bool = false, settings more: [String: String] = [:]) throws -> ServiceProcess {
        let port = replica ? try Ports.take() : port(role)
        let name = replica ? role.rawValue + "-2" : role.rawValue
        let process = try ServiceProcess(
            name: name, executable: surroundings.testbed.bin.appending(path: role.rawValue), port: port,
            environment: try environment(of: role, port: port).merging(more) { $1 },
            log: log(name))
        processes.withLock { $0.append(process) }
        return process
    }

    /// Starts all and waits until they are ready, with users and products.
    func startAll(_ roles: [Role] = Role.allCases) async throws {
        for role in roles { try start(role) }
        for role in roles { try await awaitReady(role) }
        try await seed()
    }

    /// Ends a process as an operator does; it has 10 s, and must say that all went well.
    func stop(_ process: ServiceProcess) async throws {
        process.signal(SIGTERM)
        let exit = try await process.awaitExit(within: .seconds(10))
        #expect(exit == .code(0), "\(process.name) after SIGTERM")
    }

    func stopAll() async throws {
        let running = running
        for process in running { process.signal(SIGTERM) }
        for process in running { try await stop(process) }
    }

    /// Starts `role` anew after it ended, without failpoints.
    func restart(_ role: Role) async throws {
        try start(role)
        try await awaitReady(role)
    }

    /// Starts a process once more that has ended, with the same port and settings.
    @discardableResult
    func startAgain(_ ended: ServiceProcess) throws -> ServiceProcess {
        let process = try ended.again()
        processes.withLock { $0.append(process) }
        return process
    }

    func awaitReady(_ role: Role) async throws {
        try await awaitReady(try process(role))
    }

    func awaitReady(_ process: ServiceProcess) async throws {
        try await eventually("\(process.name) is ready") {
            guard process.isRunning else { throw NotInTime("\(process.name) ended: \(process.logTail)") }
            return try await self.get(process.port, "/health/ready")?.status == 200
        }
    }

    private func environment(of role: Role, port: Int) throws -> [String: String] {
        settings.merging([
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
            "HTTP_PORT": String(port), "DATABASE_URL": try surroundings.databaseURL(of: role),
            "AMQP_URL": try surroundings.amqpURL(of: role), "REDIS_URL": try surroundings.redisURL(of: role),
            "SETTLE_TOKEN": token,
            "ORDER_URL": url(.order), "STOCK_URL": url(.stock), "POINTS_URL": url(.userPoints),
            "CENTRE_URL": url(.messageCentre),
        ]) { mine, _ in mine }
    }

    func url(_ role: Role) -> String { "http://127.0.0.1:\(port(role))" }

    /// The ends of all logs.
    @Sendable
    func describe() -> String { processes.withLock { $0 }.map(\.logTail).joined(separator: "\n") }
}
