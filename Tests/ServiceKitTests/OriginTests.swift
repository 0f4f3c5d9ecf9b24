import Hummingbird
import HummingbirdTesting
import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@testable import SettleServiceKit

@Suite("HTTP: pages of other sites")
struct OriginTests {
    @Test("what their visitors' browsers would send unasked is 403 and does nothing")
    func foreign() async throws {
        let service = try TestService.make()
        try await Application(responder: service.responder, logger: quiet).test(.router) {
            client async throws in
            let body = ByteBuffer(string: #"{"name":"x","count":1}"#)
            func status(_ headers: HTTPFields, method: HTTPRequest.Method = .post) async throws -> Int {
                try await client.execute(uri: "/things", method: method, headers: headers, body: body).status.code
            }
            for origin in ["http://evil.example", "null", "http://localhost.evil.example"] {
                #expect(try await status([.origin: origin]) == 403)
                #expect(try await status([.origin: origin, .contentType: "text/plain"]) == 403)
                #expect(try await status([.origin: origin, .contentType: "application/json"]) == 201)
                #expect(try await status([.origin: origin], method: .put) == 403)
                #expect(try await status([.origin: origin], method: .delete) == 403)
                #expect(try await status([.origin: origin], method: .get) == 405)
            }
            #expect(try await status([:]) == 201)
        }
    }

    @Test(
        "the same host is the same origin, with or without the port that goes without saying",
        arguments: [
            ("http://shop", "shop"), ("http://shop:80", "shop"), ("https://shop", "shop:443"),
            ("HTTP://Shop:8080", "shop:8080"), ("https://[::1]:8443", "[::1]:8443"),
        ])
    func same(origin: String, host: String) { #expect(OriginMiddleware.isSame(origin: origin, host: host)) }

    @Test(
        "any other is not",
        arguments: [
            ("http://shop", "shop:8080"), ("http://shop.evil", "shop"), ("null", "null"), ("", ""), ("shop", "shop"),
            ("http://shop:443", "shop"),
        ])
    func other(origin: String, host: String) { #expect(!OriginMiddleware.isSame(origin: origin, host: host)) }
}
