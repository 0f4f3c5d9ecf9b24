import Hummingbird

/// A page of another site must not have its visitors' browsers change anything here (cross-site request forgery).
///
/// A browser names the page's site in `Origin` and sends such a request without asking first, unless its content type is
/// JSON or the like: then it asks by OPTIONS, and is not allowed. So a foreign origin is refused where it could have come
/// unasked. With `application/json` it must come from a proxy that allowed it, or from a client that is no browser.
struct OriginMiddleware: RouterMiddleware {
    typealias Context = ServiceRequestContext

    private static let safe: Set<HTTPRequest.Method> = [.get, .head, .options, .trace]
    static let foreign = Problem(
        .forbidden, code: "foreign-origin", title: "Foreign origin",
        detail: "a page of another origin may send nothing but application/json")

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        if !Self.safe.contains(request.method), let origin = request.headers[.origin],
            !Self.isSame(origin: origin, host: request.head.authority ?? ""),
            !JSONBody.isJSON(request.headers[.contentType])
        {
            throw Self.foreign
        }
        return try await next(request, context)
    }

    /// Whether an origin (`https://shop.example`) is the host that was asked (`shop.example:443`). The scheme is not
    /// compared: a proxy may take TLS off. `null`, the origin of a page that hides its own, is nobody's.
    static func isSame(origin: String, host: String) -> Bool {
        let origin = origin.lowercased()
        for (scheme, port) in [("http://", ":80"), ("https://", ":443")] where origin.hasPrefix(scheme) {
            return without(port, String(origin.dropFirst(scheme.count))) == without(port, host.lowercased())
        }
        return false
    }

    private static func without(_ port: String, _ host: String) -> String {
        host.hasSuffix(port) ? String(host.dropLast(port.count)) : host
    }
}
