import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import SettleServiceKit

@Suite("Sessions")
struct SessionTests {
    private static let tokens = Tokens("token-0123456789", accepted: ["other-0123456789"])
    private static let now = Date(timeIntervalSince1970: 1_000_000)

    private static func request(cookie: String?, origin: String? = nil) -> Request {
        var fields = HTTPFields()
        fields[.cookie] = cookie
        fields[.origin] = origin
        return Request(
            head: HTTPRequest(method: .get, scheme: "http", authority: "shop.test:80", path: "/", headerFields: fields),
            body: RequestBody(buffer: ByteBuffer()))
    }

    private static func cookie(_ token: String = "token-0123456789") throws -> String {
        let header = try #require(Session(tokens).begin(token: token, now: now))
        #expect(header.contains("HttpOnly") && header.contains("SameSite=Strict") && !header.contains(token))
        return String(try #require(header.split(separator: ";").first))
    }

    @Test("one is given for a token that is accepted, and holds for as long as it says", arguments: tokens.accepted)
    func life(token: String) throws {
        let session = Session(Self.tokens)
        let request = Self.request(cookie: "a=b; " + (try Self.cookie(token)) + "; c=d")
        #expect(session.holds(request, now: Self.now))
        #expect(session.holds(request, now: Self.now.addingTimeInterval(12 * 3600 - 1)))
        #expect(!session.holds(request, now: Self.now.addingTimeInterval(12 * 3600)))
        #expect(session.begin(token: "wrong-0123456789", now: Self.now) == nil)
    }

    @Test("it ends where its token is taken back, and with another end it is none")
    func forged() throws {
        let cookie = try Self.cookie()
        #expect(!Session(Tokens("another-0123456789")).holds(Self.request(cookie: cookie), now: Self.now))
        let parts = cookie.split(separator: ".")
        let longer = "settle_session=9999999999.\(parts[1])"
        let session = Session(Self.tokens)
        for text in [longer, cookie + "0", String(cookie.dropLast()), "settle_session=", "settle_session=.", "x", nil] {
            #expect(!session.holds(Self.request(cookie: text), now: Self.now), "\(text ?? "none")")
        }
    }

    @Test("a page of another site has none, whatever its browser sends along")
    func foreign() throws {
        let session = Session(Self.tokens)
        let cookie = try Self.cookie()
        for (origin, isOurs) in [
            ("http://shop.test", true), ("https://shop.test:443", false), ("https://evil.test", false), ("null", false),
        ] {
            #expect(
                session.holds(Self.request(cookie: cookie, origin: origin), now: Self.now) == isOurs, "\(origin)")
        }
    }
}
