import Foundation
import Logging
import SettleRedis
import ServiceLifecycle

/// The server that the integration tests use, if there is one.
enum TestRedis {
    static let url = ProcessInfo.processInfo.environment["SETTLE_TEST_REDIS_URL"]

    static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    /// Runs `body` with a client that is being served; stops the client gracefully at the end.
    static func withClient(
        _ url: String, adjust: (inout RedisConfiguration) -> Void = { _ in }, _ logger: Logger = quiet,
        _ body: (RedisClient) async throws -> Void
    ) async throws {
        var configuration = try RedisConfiguration(url: url)
        adjust(&configuration)
        let client = RedisClient(configuration, logger: logger)
        let group = ServiceGroup(services: [client], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await body(client)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    /// Looks for `condition` now and then, for at most `limit`.
    static func eventually(
        within limit: Duration = .seconds(10), _ condition: () async throws -> Bool
    ) async throws -> Bool {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if try await condition() { return true }
            try await Task.sleep(for: .milliseconds(2))
        }
        return false
    }
}
