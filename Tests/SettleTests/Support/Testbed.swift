import Foundation
import Logging
import ServiceLifecycle

/// What the integration tests have in common: where the servers are, and how services run for the time of a test.
enum Testbed {
    static let postgresURL = ProcessInfo.processInfo.environment["SETTLE_TEST_POSTGRES_URL"]
    static let amqpURL = ProcessInfo.processInfo.environment["SETTLE_TEST_AMQP_URL"]
    static let redisURL = ProcessInfo.processInfo.environment["SETTLE_TEST_REDIS_URL"]

    static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    /// Runs `services` beside `body`; stops them gracefully at the end, the last one first.
    static func serving<Result: Sendable>(
        _ services: [any Service], _ body: () async throws -> Result
    ) async throws -> Result {
        let group = ServiceGroup(services: services, logger: quiet)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let result: Swift.Result<Result, any Error>
            do {
                result = .success(try await body())
            } catch {
                result = .failure(error)
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return try result.get()
        }
    }

    /// Looks for `condition` now and then, for at most `limit`.
    static func eventually(
        within limit: Duration = .seconds(10), _ condition: () async throws -> Bool
    ) async throws -> Bool {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if try await condition() { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}
