import Synchronization

/// Which methods each path has, so that a wrong method is told from an unknown path.
///
/// Hummingbird's router answers both alike; its own routes are only read when a request has found none.
final class RouteTable: Sendable {
    private struct Route: Sendable {
        let parts: [Substring]
        let method: String
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
    func methods(path: String) -> [String] {
        let parts = Self.split(path)
        let found = routes.withLock { routes in
            routes.filter { Self.matches($0.parts, parts) }.map(\.method)
        }
        return Set(found.contains("GET") ? found + ["HEAD"] : found).sorted()
    }

    private static func split(_ path: String) -> [Substring] { path.split(separator: "/") }

    private static func matches(_ template: [Substring], _ path: [Substring]) -> Bool {
        template.count == path.count
            && zip(template, path).allSatisfy { $0.hasPrefix("{") || $0.hasPrefix(":") || $0 == $1 }
    }
}
