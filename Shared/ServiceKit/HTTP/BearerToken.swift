import Hummingbird

/// Lets only requests through that carry `Authorization: Bearer <token>` with one of the tokens that are accepted.
struct BearerToken: RouterMiddleware {
    typealias Context = ServiceRequestContext

    private let accepted: [[UInt8]]

    init(_ tokens: Tokens) { accepted = tokens.accepted.map { Array($0.utf8) } }

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let given = Self.token(in: request.headers[.authorization]), isRight(given) else {
            throw Problem.unauthorized
        }
        return try await next(request, context)
    }

    /// The scheme's name is case-insensitive (RFC 9110, 11.1).
    private static func token(in header: String?) -> [UInt8]? {
        guard let header, header.count > 7, header.prefix(7).lowercased() == "bearer " else { return nil }
        return Array(header.utf8.dropFirst(7).drop { $0 == UInt8(ascii: " ") })
    }

    /// Compares with every token, whichever is right.
    private func isRight(_ given: [UInt8]) -> Bool {
        var isRight = false
        for token in accepted where Self.isEqual(given, token) { isRight = true }
        return isRight
    }

    /// Takes as long for a token that is wrong in its first byte as for one that is wrong in its last.
    private static func isEqual(_ given: [UInt8], _ token: [UInt8]) -> Bool {
        var difference = UInt8(given.count == token.count ? 0 : 1)
        for (index, byte) in given.enumerated() { difference |= byte ^ token[index % token.count] }
        return difference == 0
    }
}
