import SettleServiceKit
import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@Suite("Health query")
struct HealthQueryTests {
    private static func query(_ host: String = "127.0.0.1", port: Int) throws -> HealthQuery {
        try HealthQuery(
            SettingsReader(flags: ["http-port": "\(port)"], environment: ["HTTP_HOST": host]), defaultPort: 1)
    }

    @Test("a service that is ready", arguments: ["127.0.0.1", "0.0.0.0", "localhost"])
    func ready(host: String) async throws {
        try await LiveService.run { url, _, _ in
            let answer = try await Self.query(host, port: try port(of: url)).answer()
            #expect(answer.contains(#""status":"ready""#))
            #expect(answer.contains(#""checks":{"postgres":"up"}"#))
        }
    }

    @Test("one that is not says what is missing")
    func unready() async throws {
        try await LiveService.run(checks: [HealthCheck("postgres") { false }]) { url, _, _ in
            let query = try Self.query(port: try port(of: url))
            let error = await #expect(throws: HealthQuery.Unready.self) { try await query.answer() }
            #expect(error?.description.contains(#""checks":{"postgres":"down"}"#) == true)
        }
    }

    @Test("none at all")
    func away() async throws {
        let query = try Self.query(port: try Ports.take())
        let error = await #expect(throws: HealthQuery.Unready.self) { try await query.answer() }
        #expect(error?.description.hasPrefix("no answer from http://127.0.0.1:") == true)
    }

    @Test("a wrong port is a wrong setting")
    func wrong() {
        #expect(throws: SettingsError.self) { try Self.query(port: 65536) }
    }

    private func port(of url: String) throws -> Int {
        try #require(url.split(separator: ":").last.flatMap { Int($0) })
    }
}
