import SettleCore
import Foundation
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
