import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@testable import SettleServiceKit

@Suite("Address to listen on")
struct ListenAddressTests {
    @Test("addresses of this machine, and names that stand for one", arguments: ["127.0.0.1", "0.0.0.0", "localhost"])
    func ours(host: String) async throws {
        try await ListenAddress(host: host, port: try Ports.take()).check()
    }

    @Test("all others are a wrong setting", arguments: ["no host", "203.0.113.7", "300.1.1.1", "127.0.0.1:80", "-"])
    func notOurs(host: String) async throws {
        let port = try Ports.take()
        let error = await #expect(throws: SettingsError.self) {
            try await ListenAddress(host: host, port: port).check()
        }
        #expect(error?.name == "HTTP_HOST")
        #expect(error?.description.contains("\n") == false)
    }

    @Test("a port that another program listens on may be free in a moment: no wrong setting")
    func taken() async throws {
        try await LiveService.run { url, _, _ in
            let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
            try await ListenAddress(host: "127.0.0.1", port: port).check()
        }
    }
}
