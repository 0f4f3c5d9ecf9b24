public import Hummingbird
public import SettleServiceKit

/// Who may see and use what belongs to one user: anybody, or, where customers are told apart (`SETTLE_CUSTOMERS=on`), only
/// who carries that user's own token; and operators, who carry one of the service's.
public struct Customers: Sendable {
    /// Whether a token is the one of that user; false for a user that nobody knows.
    public typealias Check = @Sendable (_ userName: String, _ token: String) async throws -> Bool

    private let operators: BearerToken
    private let isTheirs: Check?

    /// - Parameter isTheirs: asked about every token that is no operator's; nil where customers are not told apart.
    public init(_ tokens: Tokens, isTheirs: Check?) {
        operators = BearerToken(tokens)
        self.isTheirs = isTheirs
    }

    /// Who sends a request. Nobody is asked yet.
    ///
    /// - Throws: the problem 401 for a request without a usable token, where it needs one.
    public func caller(of request: Request) throws(Problem) -> Caller {
        guard let isTheirs else { return Caller(check: nil) }
        let token = try BearerToken.token(of: request)
        if operators.accepts(token) { return Caller(check: nil) }
        // It is ASCII.
        let text = String(decoding: token, as: UTF8.self)
        return Caller { userName in try await isTheirs(userName, text) }
    }
}

/// Who sends a request, as far as ``Customers`` tells callers apart.
public struct Caller: Sendable {
    /// Nil: may do everything.
    fileprivate let check: (@Sendable (_ userName: String) async throws -> Bool)?

    /// Whether the caller may act for that user; false also for a user that nobody knows.
    public func isAllowed(_ userName: String) async throws -> Bool {
        guard let check else { return true }
        return try await check(userName)
    }

    /// The same as a problem: 403, one and the same for a wrong token and a user that nobody knows.
    ///
    /// - Parameter userName: nil for all users at once, which only operators may see; 422.
    public func require(_ userName: String?) async throws {
        guard let userName else {
            guard check == nil else { throw Problem.unprocessable("userName is needed, but for operators") }
            return
        }
        guard try await isAllowed(userName) else { throw Problem.forbidden("the bearer token is not this user's") }
    }
}
