import Foundation
import SettleHTTPTestSupport
import SettleTestSupport

/// One of the built services, with no server behind it: it answers for its health all the same.
enum LoneService {
    /// Nil where nothing is built.
    static let bin = ProcessInfo.processInfo.environment["SETTLE_TEST_BIN"]

    /// - Parameter limit: `ulimit`'s arguments, for it alone.
    static func start(port: Int, settings: [String: String] = [:], limit: String? = nil) async throws -> PrivateServer {
        let own = [
            "DATABASE_URL": "postgresql://127.0.0.1:1/none", "AMQP_URL": "amqp://127.0.0.1:1",
            "REDIS_URL": "redis://127.0.0.1:1", "SETTLE_TOKEN": "test-0123456789abcdef",
            "HTTP_PORT": "\(port)", "LOG_LEVEL": "error",
        ]
        let server = try PrivateServer(environment: own.merging(settings) { $1 })
        let script = (limit.map { "ulimit \($0) && " } ?? "") + "exec \"$0\""
        try await server.start(["/bin/sh", "-c", script, "\(bin ?? "")/stock"]) {
            // Refused until it listens.
            (try? await status(port)) == 200
        }
        return server
    }

    /// What it says of its life.
    static func status(_ port: Int) async throws -> Int? {
        let client = try await RawClient.open(port)
        await client.send("GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let text = await client.rest()
        await client.close()
        return RawClient.parse(text)?.status
    }
}
