import Hummingbird

/// Lets only requests through that carry `Authorization: Bearer <token>`.
struct BearerToken: RouterMiddleware {
    typealias Context = ServiceRequestContext

    private let token: [UInt8]

    init(_ token: String) { self.token = Array(token.utf8) }

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

    /// Takes as long for a token that is wrong in its first byte as for one that is wrong in its last.
    private func isRight(_ given: [UInt8]) -> Bool {
        var difference = UInt8(given.count == token.count ? 0 : 1)
        for (index, byte) in given.enumerated() { difference |= byte ^ token[index % token.count] }
        return difference == 0
    }
}
