import Hummingbird
import Synchronization

/// Says no early: too many requests in flight, a service not ready to serve. What is wrong with a request's head or body
/// has been found before this.
final class AdmissionMiddleware: RouterMiddleware {
    typealias Context = ServiceRequestContext

    private let limits: HTTPLimits
    private let isOpen: @Sendable (String) -> Bool
    private let inFlight = Atomic(0)

    init(limits: HTTPLimits, isOpen: @escaping @Sendable (String) -> Bool) {
        self.limits = limits
        self.isOpen = isOpen
    }

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard isOpen(request.uri.path) else { throw Problem.unavailable("the service is starting") }
        defer { inFlight.subtract(1, ordering: .relaxed) }
        let isFull = inFlight.add(1, ordering: .relaxed).newValue > limits.maxInFlight
        guard !isFull || limits.alwaysAdmitted.contains(where: request.uri.path.hasPrefix) else {
            throw Problem.unavailable("too many requests at once")
        }
        return try await next(request, context)
    }
}
