import SettleCore
import Foundation
import Logging
import SettleRabbitMQ
import ServiceLifecycle
import Testing

/// The broker that integration tests share; each takes names of its own on it.
enum TestServer {
    static let url = ProcessInfo.processInfo.environment["SETTLE_TEST_AMQP_URL"]
    static var isThere: Bool { url != nil }

    static func configuration() throws -> RabbitMQConfiguration {
        try impatient(RabbitMQConfiguration(url: #require(url)))
    }

    /// The same with a short back-off: tests wait for it.
    static func impatient(_ configuration: RabbitMQConfiguration) -> RabbitMQConfiguration {
        var configuration = configuration
        configuration.backoff = Backoff(initial: .milliseconds(50), cap: .milliseconds(500))
        return configuration
    }
}

/// Says nothing below errors, so that a test's own output stays readable.
let quiet: Logger = {
    var logger = Logger(label: "test")
    logger.logLevel = ProcessInfo.processInfo.environment["LOG_LEVEL"].flatMap { Logger.Level($0) } ?? .critical
    return logger
}()

/// Runs services for as long as `body` takes, then shuts them down gracefully.
func running<R: Sendable>(_ services: any Service..., body: @Sendable () async throws -> R) async throws -> R {
    var group = ServiceGroupConfiguration(services: services, logger: quiet)
    group.maximumGracefulShutdownDuration = .seconds(30)
    let running = ServiceGroup(configuration: group)
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await running.run() }
        let result: Result<R, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        await running.triggerGracefulShutdown()
        try await tasks.waitForAll()
        return try result.get()
    }
}

/// Looks at something outside until it is so; an issue when it never is.
func eventually(
    within limit: Duration = .seconds(20), _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else {
            Issue.record(what, sourceLocation: sourceLocation)
            throw NeverHappened()
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}

struct NeverHappened: Error {}

/// Runs a service, and acts when it has heard that it is to shut down.
struct ThenAtShutdown: Service {
    let service: any Service
    /// Returns when the service runs.
    let running: @Sendable () async -> Void
    /// Called when a shutdown may begin.
    let ready: @Sendable () -> Void
    let act: @Sendable () -> Void

    func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await service.run() }
            group.addTask {
                await running()
                // Who asked first hears first (GracefulShutdownManager calls its handlers in their order).
                try await withGracefulShutdownHandler {
                    ready()
                    try await gracefulShutdown()
                } onGracefulShutdown: {
                    act()
                }
            }
            try await group.waitForAll()
        }
    }
}
