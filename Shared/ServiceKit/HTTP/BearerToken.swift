import SettleCore
package import Hummingbird

/// Lets only requests through that carry `Authorization: Bearer <token>` with one of the tokens that are accepted.
package struct BearerTokenMiddleware<Context: RequestContext>: RouterMiddleware {
    private let tokens: BearerToken

    package init(_ tokens: Tokens) { self.tokens = BearerToken(tokens) }

    package func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard tokens.accepts(try BearerToken.token(of: request)) else { throw Problem.unauthorized }
        return try await next(request, context)
    }
}

/// The tokens that a request may carry.
package struct BearerToken: Sendable {
    private let accepted: [[UInt8]]

    package init(_ tokens: Tokens) { accepted = tokens.accepted.map { Array($0.utf8) } }

    /// The token that a request carries.
    ///
    /// - Throws: the problem 401 when it has none, or one that nobody was ever given: too long, or of other characters
    ///   than RFC 6750 allows. Two headers are such a one, too.
    package static func token(of request: Request) throws(Problem) -> [UInt8] {
        guard let token = token(in: request.headers[.authorization]) else { throw .unauthorized }
        return token
    }

    /// The scheme's name is case-insensitive (RFC 9110, 11.1).
    static func token(in header: String?) -> [UInt8]? {
        guard let header, header.prefix(7).lowercased() == "bearer " else { return nil }
        let token = header.utf8.dropFirst(7).drop { $0 == UInt8(ascii: " ") }
        guard (1...Tokens.maxLength).contains(token.count), token.allSatisfy(Tokens.isAllowed) else { return nil }
        return Array(token)
    }

    /// Compares with every token, whichever is right.
    package func accepts(_ given: [UInt8]) -> Bool {
        var isRight = false
        for token in accepted where given.isEqualInConstantTime(to: token) { isRight = true }
        return isRight
    }
}
