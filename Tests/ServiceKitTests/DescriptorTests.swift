import Foundation
import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@Suite("HTTP: a process with few descriptors", .timeLimit(.minutes(1)), .enabled(if: LoneService.bin != nil))
struct DescriptorTests {
    @Test("of 128 descriptors half are for connections; what comes beyond is told so, and served once there is room")
    func bound() async throws {
        let port = try Ports.take()
        let server = try await LoneService.start(port: port, limit: "-n 128")
        var clients: [RawClient] = []
        for _ in 0..<100 { clients.append(try await RawClient.open(port)) }
        #expect(try await LoneService.status(port) == 503)
        for client in clients { await client.close() }
        // 503 until the connections before are gone.
        try await eventually("served again") { try await LoneService.status(port) == 200 }
        try await server.remove(SIGTERM)
    }
}
