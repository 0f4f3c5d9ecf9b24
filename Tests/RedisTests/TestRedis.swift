import Foundation
import Logging
import SettleRedis
import SettleTestSupport

/// The server that the integration tests use, if there is one.
enum TestRedis {
    static let url = ProcessInfo.processInfo.environment["SETTLE_TEST_REDIS_URL"]

    /// Runs `body` with a client that is being served; stops the client gracefully at the end.
    static func withClient(
        _ url: String, adjust: (inout RedisConfiguration) -> Void = { _ in }, _ logger: Logger = quiet,
        _ body: (RedisClient) async throws -> Void
    ) async throws {
        var configuration = try RedisConfiguration(url: url)
        adjust(&configuration)
        let client = RedisClient(configuration, logger: logger)
        try await serving([client]) { try await body(client) }
    }
}
