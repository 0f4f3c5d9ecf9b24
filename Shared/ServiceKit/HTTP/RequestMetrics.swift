import Hummingbird
import Metrics
import Synchronization

/// `http_requests_total{method,route,status}` and `http_request_duration_seconds{method,route}`, by the route's
/// template: paths would make as many series as there are orders.
final class RequestMetrics: RouterMiddleware {
    typealias Context = ServiceRequestContext

    private struct Key: Hashable {
        let method: String
        let route: String
        let status: Int
    }

    private struct Meters {
        let count: Counter
        let duration: Timer
    }

    private static let methods: Set = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    private let factory: any MetricsFactory
    private let meters = Mutex<[Key: Meters]>([:])

    init(factory: any MetricsFactory) { self.factory = factory }

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        // Everything below answers with a response: errors are turned into problems before they get here.
        let response = try await next(request, context)
        let elapsed = start.duration(to: .now)
        let meters = meters(method: request.method.rawValue, context.endpointPath, status: response.status.code)
        meters.count.increment()
        meters.duration.record(duration: elapsed)
        return response
    }

    private func meters(method: String, _ endpoint: String?, status: Int) -> Meters {
        // Clients choose methods and paths: what no route names is counted under one name.
        let method = Self.methods.contains(method) ? method : "other"
        let route = endpoint.map { $0 == "NotFound" ? "unmatched" : $0 } ?? "unmatched"
        let key = Key(method: method, route: route, status: status)
        return meters.withLock { meters in
            if let known = meters[key] { return known }
            let dimensions = [("method", method), ("route", route)]
            let new = Meters(
                count: Counter(
                    label: "http_requests_total", dimensions: dimensions + [("status", String(status))],
                    factory: factory),
                duration: Timer(label: "http_request_duration", dimensions: dimensions, factory: factory))
            meters[key] = new
            return new
        }
    }
}
