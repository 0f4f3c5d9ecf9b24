public import Foundation
public import Hummingbird
import SettleCore

/// A person's leave to do what needs the token, for a browser, which must not keep the token itself: a cookie that any replica
/// can check and nobody can make who does not have a token that is accepted.
///
/// `<seconds since 1970 until when>.<HMAC-SHA-256 of that, keyed by the token>`
public struct Session: Sendable {
    /// How long one lasts.
    static let lifetime: Duration = .seconds(12 * 3600)
    private static let cookie = "settle_session"

    private let tokens: Tokens
    private let given: BearerToken

    /// - Parameter tokens: those that open one; where a token is taken back, so are its sessions.
    public init(_ tokens: Tokens) {
        self.tokens = tokens
        given = BearerToken(tokens)
    }

    /// The `Set-Cookie` of a new one; nil for a token that is not accepted.
    public func begin(token: String, now: Date = Date()) -> String? {
        guard given.accepts(Array(token.utf8)) else { return nil }
        let seconds = Int(Self.lifetime / .seconds(1))
        let end = String(Int(now.timeIntervalSince1970) + seconds)
        return "\(Self.cookie)=\(end).\(Self.mark(end, token)); Path=/; HttpOnly; SameSite=Strict; Max-Age=\(seconds)"
    }

    /// The `Set-Cookie` that ends it in the browser that asks.
    public static let end = "\(cookie)=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"

    /// Whether a request belongs to one: its cookie is sound, and no page of another site has sent it.
    public func holds(_ request: Request, now: Date = Date()) -> Bool {
        if let origin = request.headers[.origin],
            !OriginMiddleware.isSame(origin: origin, host: request.head.authority ?? "")
        {
            return false
        }
        // The usual header holds some; one that holds very many is nobody's.
        for pair in (request.headers[.cookie] ?? "").prefix(4096).split(separator: ";") {
            let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == Self.cookie, isSound(String(parts[1]), now) { return true }
        }
        return false
    }

    private func isSound(_ value: String, _ now: Date) -> Bool {
        let parts = value.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count <= 12, let end = Int(parts[0]),
            Double(end) > now.timeIntervalSince1970
        else { return false }
        var isRight = false
        for token in tokens.accepted
        where Self.mark(String(parts[0]), token).utf8.isEqualInConstantTime(to: parts[1].utf8) {
            isRight = true
        }
        return isRight
    }

    private static func mark(_ end: String, _ token: String) -> String {
        HMAC(key: Array(token.utf8)).code(of: Array("settle session ".utf8), Array(end.utf8)).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
