import Foundation
import SettleHTTPTestSupport
import SettleTestSupport
import Testing

/// One of the built services, with no server behind it: it answers for its health all the same.
@Suite(
    "HTTP: a process with few descriptors", .timeLimit(.minutes(1)),
    .enabled(if: ProcessInfo.processInfo.environment["SETTLE_TEST_BIN"] != nil))
struct DescriptorTests {
    private static let bin = ProcessInfo.processInfo.environment["SETTLE_TEST_BIN"]
    private static let live = "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    private static func start(port: Int) async throws -> PrivateServer {
        let server = try PrivateServer(environment: [
            "DATABASE_URL": "postgresql://127.0.0.1:1/none", "AMQP_URL": "amqp://127.0.0.1:1",
            "REDIS_URL": "redis://127.0.0.1:1", "SETTLE_TOKEN": "test-0123456789abcdef",
            "HTTP_PORT": "\(port)", "LOG_LEVEL": "error",
        ])
        try await server.start(["/bin/sh", "-c", "ulimit -n 128 && exec \"$0\"", "\(bin ?? "")/stock"]) {
            // Refused until it listens.
            (try? await status(port)) == 200
        }
        return server
    }

    private static func status(_ port: Int) async throws -> Int? {
        let client = try await RawClient.open(port)
        await client.send(live)
        let text = await client.rest()
        await client.close()
        return RawClient.parse(text)?.status
    }

    @Test("of 128 descriptors half are for connections; what comes beyond is told so, and served once there is room")
    func bound() async throws {
        let port = try Ports.take()
        let server = try await Self.start(port: port)
        var clients: [RawClient] = []
        for _ in 0..<100 { clients.append(try await RawClient.open(port)) }
        #expect(try await Self.status(port) == 503)
        for client in clients { await client.close() }
        // 503 until the connections before are gone.
        try await eventually("served again") { try await Self.status(port) == 200 }
        try await server.remove(SIGTERM)
    }
}
