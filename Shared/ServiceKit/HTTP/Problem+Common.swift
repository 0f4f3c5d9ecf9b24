import Hummingbird

/// The problems that any route may have.
extension Problem {
    /// 400: the request could not be read.
    public static func badRequest(_ detail: String) -> Problem {
        Problem(.badRequest, code: "bad-request", title: "Bad request", detail: detail)
    }

    /// 401: no bearer token, or none that the route knows.
    public static let unauthorized = Problem(
        .unauthorized, code: "unauthorized", title: "Unauthorized", detail: "a valid bearer token is needed",
        headers: [.wwwAuthenticate: "Bearer"])

    /// 403: who asks is known, and may not.
    public static func forbidden(_ detail: String) -> Problem {
        Problem(.forbidden, code: "forbidden", title: "Forbidden", detail: detail)
    }

    /// 404.
    public static func notFound(_ detail: String) -> Problem {
        Problem(.notFound, code: "not-found", title: "Not found", detail: detail)
    }

    /// 405 with the methods that the path does have.
    public static func methodNotAllowed(allow: [String]) -> Problem {
        Problem(
            .methodNotAllowed, code: "method-not-allowed", title: "Method not allowed",
            detail: "this path takes \(allow.joined(separator: ", "))",
            headers: [.allow: allow.joined(separator: ", ")])
    }

    /// 409, of the kind that `code` names.
    public static func conflict(_ code: String, _ detail: String, retryAfter: Int? = nil) -> Problem {
        let title = (code.first?.uppercased() ?? "") + code.dropFirst().split(separator: "-").joined(separator: " ")
        return Problem(.conflict, code: code, title: title, detail: detail, retryAfter: retryAfter)
    }

    /// 413.
    public static let contentTooLarge = Problem(
        .contentTooLarge, code: "content-too-large", title: "Content too large",
        detail: "a body may have at most \(HTTPLimits.maxBodyBytes) bytes")

    /// 415.
    public static let unsupportedMediaType = Problem(
        .unsupportedMediaType, code: "unsupported-media-type", title: "Unsupported media type",
        detail: "the body must be application/json")

    /// 422: understood, but a value is out of range; the detail names the field.
    public static func unprocessable(_ detail: String) -> Problem {
        Problem(.unprocessableContent, code: "invalid-value", title: "Invalid value", detail: detail)
    }

    /// 500: what happened is in the log only.
    public static let internalError = Problem(
        .internalServerError, code: "internal-error", title: "Internal error",
        detail: "the request could not be carried out")

    /// 503: something that is needed is away or busy; nothing was done, or it may safely be asked again.
    public static func unavailable(_ detail: String, retryAfter: Int = 1) -> Problem {
        Problem(
            .serviceUnavailable, code: "unavailable", title: "Service unavailable", detail: detail,
            retryAfter: retryAfter)
    }
}
