import Tracing

/// What spans of HTTP are called, by OpenTelemetry's conventions:
/// https://opentelemetry.io/docs/specs/semconv/http/http-spans/.
enum HTTPSpan {
    private static let methods: Set = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"]

    /// Clients choose methods: what HTTP does not know has one name.
    static func method(_ method: String) -> String { methods.contains(method) ? method : "_OTHER" }

    /// The path of a call as its own template, if it surely is one: what is posted to names an action here, in small
    /// letters. Others hold names and numbers of things.
    static func template(_ method: String, _ path: String) -> String? {
        method == "POST" && path.utf8.allSatisfy { (97...122).contains($0) || $0 == 45 || $0 == 47 } ? path : nil
    }

    /// Of a call to `path` below `baseURL`.
    static func attributes(ofCall method: String, _ baseURL: String, _ path: String) -> SpanAttributes {
        var attributes: SpanAttributes = ["http.request.method": .string(method), "url.full": .string(baseURL + path)]
        if let template = template(method, path) { attributes["url.template"] = template }
        let authority = baseURL.drop { $0 != "/" }.drop { $0 == "/" }.prefix { $0 != "/" }
        let port = authority.lastIndex(of: ":").flatMap { Int(authority[authority.index(after: $0)...]) }
        attributes["server.port"] = port ?? (baseURL.hasPrefix("https:") ? 443 : 80)
        attributes["server.address"] =
            port == nil ? String(authority) : String(authority[..<(authority.lastIndex(of: ":") ?? authority.endIndex)])
        return attributes
    }
}
