import Foundation
import Hummingbird
import HummingbirdTesting
import SettleServiceKit
import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@Suite("Health and metrics")
struct HealthAndMetricsTests {
    private struct Ready: Codable, Equatable {
        let status: String
        let checks: [String: String]
    }

    private static func ready(_ checks: [HealthCheck]) async throws -> (HTTPResponse.Status, Ready) {
        let service = try TestService.make(checks: checks)
        return try await Application(responder: service.responder, logger: quiet).test(.router) { client in
            let response = try await client.execute(uri: "/health/ready", method: .get)
            let body = try JSONDecoder().decode(Ready.self, from: Data(String(buffer: response.body).utf8))
            return (response.status, body)
        }
    }

    @Test("live, whatever is away")
    func live() async throws {
        let service = try TestService.make(checks: [HealthCheck("postgres") { false }])
        try await Application(responder: service.responder, logger: quiet).test(.router) { client in
            let response = try await client.execute(uri: "/health/live", method: .get)
            #expect(response.status == .ok)
            #expect(String(buffer: response.body) == #"{"status":"live"}"#)
        }
    }

    @Test("ready when all is up")
    func up() async throws {
        let (status, body) = try await Self.ready([HealthCheck("postgres") { true }])
        #expect(status == .ok)
        #expect(body == Ready(status: "ready", checks: ["postgres": "up"]))
    }

    @Test("without its database it is not ready")
    func down() async throws {
        let (status, body) = try await Self.ready([HealthCheck("postgres") { false }])
        #expect(status == .serviceUnavailable)
        #expect(body == Ready(status: "unready", checks: ["postgres": "down"]))
    }

    @Test("a fast path that is away is shown, but does not count")
    func optional() async throws {
        let (status, body) = try await Self.ready([HealthCheck("redis", isRequired: false) { false }])
        #expect(status == .ok)
        #expect(body == Ready(status: "ready", checks: ["redis": "down"]))
    }

    @Test("requests are counted by route, method and status")
    func metrics() async throws {
        let service = try TestService.make()
        try await Application(responder: service.responder, logger: quiet).test(.router) { client in
            for path in ["/things/a", "/things/b", "/nowhere/1", "/nowhere/2", "/away"] {
                _ = try await client.execute(uri: path, method: .get)
            }
            if let brew = HTTPRequest.Method("BREW") { _ = try await client.execute(uri: "/things/a", method: brew) }
            let response = try await client.execute(uri: "/metrics", method: .get)
            #expect(response.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
            let lines = String(buffer: response.body).split(separator: "\n")
            #expect(lines.contains(#"http_requests_total{method="GET",route="/things/{name}",status="200"} 2"#))
            #expect(lines.contains(#"http_requests_total{method="GET",route="unmatched",status="404"} 2"#))
            #expect(lines.contains(#"http_requests_total{method="GET",route="/away",status="503"} 1"#))
            #expect(lines.contains(#"http_requests_total{method="other",route="unmatched",status="405"} 1"#))
            #expect(lines.contains(#"http_request_duration_seconds_count{method="GET",route="/things/{name}"} 2"#))
        }
    }
}
