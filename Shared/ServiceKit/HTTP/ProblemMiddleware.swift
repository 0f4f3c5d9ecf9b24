import SettleCore
package import Hummingbird
import Logging
import NIOCore

/// Every error that a handler throws, and every path or method without a handler, becomes a problem document here.
package struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
    private let mappings: [ProblemMapping]
    private let routes: RouteTable

    /// - Parameter routes: those that there are, where paths without a route come by here.
    init(mappings: [ProblemMapping], routes: RouteTable) {
        self.mappings = mappings
        self.routes = routes
    }

    /// Around routes that were found.
    package init(mappings: [ProblemMapping]) { self.init(mappings: mappings, routes: RouteTable()) }

    package func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            return try problem(for: error, request, context).response(from: request, context: context)
        }
    }

    private func problem(for error: any Error, _ request: Request, _ context: Context) -> Problem {
        if let known = known(error, request) {
            if known.status == .serviceUnavailable {
                // What is away says so itself, once: a line for each request refused would flood the log.
                context.logger.debug("request refused", metadata: Self.metadata(error, request, context))
            }
            return known
        }
        context.logger.error("request failed", metadata: Self.metadata(error, request, context))
        return .internalError
    }

    private func known(_ error: any Error, _ request: Request) -> Problem? {
        if let problem = mappings.problem(for: error) { return problem }
        switch error {
        case let error as ServiceClientError: return error.problem
        case is NIOTooManyBytesError: return .contentTooLarge
        case is BatcherFull: return .unavailable("too many requests at once")
        case is CancellationError: return .unavailable("the service is stopping")
        case let error as HTTPError where error.status == .notFound:
            return routes.problem(method: request.method.rawValue, path: request.uri.path)
        case let error as HTTPError where (400..<500).contains(error.status.code):
            return Problem(error.status, code: "bad-request", title: error.status.reasonPhrase)
        default: return nil
        }
    }

    private static func metadata(_ error: any Error, _ request: Request, _ context: Context) -> Logger.Metadata {
        ["error": "\(error)", "method": "\(request.method)", "route": "\(context.endpointPath ?? request.uri.path)"]
    }
}
