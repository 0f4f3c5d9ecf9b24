import HTTPTypes
import NIOCore
import NIOHTTP1
import SettleHTTPTestSupport
import Testing

@testable import SettleServiceKit

@Suite("HTTP: heads")
struct RequestHeadCheckTests {
    private static func problem(
        _ fields: [(String, String)] = [("Host", "shop")], uri: String = "/", minor: Int = 1
    ) -> Problem? {
        RequestHeadCheck.problem(
            HTTPRequestHead(
                version: HTTPVersion(major: 1, minor: minor), method: .GET, uri: uri, headers: HTTPHeaders(fields)))
    }

    @Test(
        "one Host, and one that is a host", arguments: ["", "shop:8080", "[::1]:8080", "user_points", "SHOP.example"])
    func host(value: String) { #expect(Self.problem([("hOST", value)]) == nil) }

    @Test("any other is 400")
    func noHost() {
        let wrong = [[], [("Host", "a"), ("host", "a")], [("Host", "a b")], [("Host", "a/b")], [("Host", "a@b")]]
        for fields in wrong { #expect(Self.problem(fields)?.status == .badRequest) }
        #expect(Self.problem([], minor: 0) == nil)
        #expect(Self.problem([("Host", "a"), ("host", "a")], minor: 0)?.status == .badRequest)
    }

    @Test("text that is not UTF-8, or was not, is 400")
    func text() {
        // What the parser makes of a byte that is none.
        let key = String(decoding: [0x6B, 0xFF], as: UTF8.self)
        #expect(
            Self.problem([("Host", "a"), ("Idempotency-Key", key)])?.detail == "the header Idempotency-Key is not UTF-8"
        )
        #expect(Self.problem([("Host", "a"), ("Idempotency-Key", "ké\u{FFFC}文")]) == nil)
        for uri in ["/a%ff", "/a?b=%C3%28", "/%zz", "/%", "/a?b=%e"] {
            #expect(Self.problem(uri: uri)?.status == .badRequest)
        }
        for uri in ["/a%20%C3%A9", "/a%00", "/a?b=%e6%96%87&c=100%25"] { #expect(Self.problem(uri: uri) == nil) }
    }

    @Test("a length beyond the limit is 413, whatever it fits")
    func length() {
        for text in ["1048577", "9223372036854775807", "9223372036854775808", "18446744073709551615"] {
            #expect(Self.problem([("Host", "a"), ("Content-Length", text)]) == .contentTooLarge)
        }
        #expect(Self.problem([("Host", "a"), ("Content-Length", "1048576")]) == nil)
    }

    @Test("after which requests the connection is closed")
    func last() {
        func isLast(_ fields: [(String, String)], minor: Int = 1, method: HTTPMethod = .GET) -> Bool {
            RequestHeadCheck.isLast(
                HTTPRequestHead(
                    version: HTTPVersion(major: 1, minor: minor), method: method, uri: "/", headers: HTTPHeaders(fields)
                ))
        }
        #expect(!isLast([]))
        #expect(!isLast([("Connection", "keep-alive")]))
        #expect(isLast([("Connection", "Close")]))
        #expect(isLast([("Connection", "te, close")]))
        #expect(isLast([], minor: 0))
        #expect(isLast([("Connection", "Upgrade"), ("Upgrade", "h2c")]))
        #expect(isLast([], method: .CONNECT))
    }

    @Test("what is refused before any route says so in full, but for HEAD")
    func wire() {
        let text = String(buffer: Problem.unavailable("too many", retryAfter: 7).wire(omitsBody: false))
        #expect(text.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(text.contains("\r\nRetry-After: 7\r\n") && text.contains("\r\nConnection: close\r\n"))
        #expect(RawClient.parse(text)?.body.contains(#""detail":"too many""#) == true)
        #expect(String(buffer: Problem.unavailable("too many").wire(omitsBody: true)).hasSuffix("\r\n\r\n"))
    }
}
