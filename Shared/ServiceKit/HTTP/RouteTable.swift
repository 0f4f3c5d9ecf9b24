import Synchronization

/// Which methods each path has, so that a wrong method is told from an unknown path.
///
/// Hummingbird's router answers both alike; its own routes are only read when a request has found none.
final class RouteTable: Sendable {
    private struct Route: Sendable {
        let parts: [Substring]
        let method: String

        /// Of which parts of the path it takes any.
        var isOpen: [Bool] { parts.map(RouteTable.isParameter) }
    }

    private let routes = Mutex<[Route]>([])

    /// - Parameter routes: path templates such as `/products/{sku}` with their methods.
    func set(_ routes: [(path: String, method: String)]) {
        self.routes.withLock { $0 = routes.map { Route(parts: Self.split($0.path), method: $0.method) } }
    }

    /// 405 when the path is known with other methods, else 404.
    func problem(method: String, path: String) -> Problem {
        let allowed = methods(path: path)
        return allowed.isEmpty || allowed.contains(method)
            ? .notFound("there is nothing under this path") : .methodNotAllowed(allow: allowed)
    }

    /// The methods of the routes that match `path`, sorted; HEAD goes with GET.
    ///
    /// A part that a route names goes before one that takes any, and there is no way back, as in the router:
    /// `GET /transactions/commit` is not `GET /transactions/{xid}`.
    func methods(path: String) -> [String] {
        let parts = Self.split(path)
        let matching = routes.withLock { routes in routes.filter { Self.matches($0.parts, parts) } }
        let closest = matching.map(\.isOpen).min { $0.lexicographicallyPrecedes($1) { !$0 && $1 } }
        let found = matching.filter { $0.isOpen == closest }.map(\.method)
        return Set(found.contains("GET") ? found + ["HEAD"] : found).sorted()
    }

    private static func split(_ path: String) -> [Substring] { path.split(separator: "/") }

    private static func matches(_ template: [Substring], _ path: [Substring]) -> Bool {
        template.count == path.count
            && zip(template, path).allSatisfy { isParameter($0) || $0 == $1 }
    }

    fileprivate static func isParameter(_ part: Substring) -> Bool { part.hasPrefix("{") || part.hasPrefix(":") }
}
