import HTTPTypes
import Hummingbird
import SettleCore
import Tracing

/// Continues the caller's trace, or starts one, for the length of the request; with a span of kind server where a tracer is
/// installed.
///
/// Named by the route's template: paths would make as many names as there are orders. What asks every few seconds how the
/// service is gets none.
struct TraceMiddleware: RouterMiddleware {
    typealias Context = ServiceRequestContext

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var serviceContext = ServiceContext.current ?? .topLevel
        InstrumentationSystem.instrument.extract(request.headers, into: &serviceContext, using: FieldsExtractor())
        guard let tracer = Spans.tracer, !Self.isProbe(request.uri.path) else {
            return try await ServiceContext.withValue(serviceContext) { try await next(request, context) }
        }
        let method = HTTPSpan.method(request.method.rawValue)
        let span = tracer.startSpan(method, context: serviceContext, ofKind: .server)
        return try await Spans.within(span) { span in
            let response = try await next(request, context)
            if let span { describe(span, request, method, response, context.endpointPath) }
            return response
        }
    }

    private static func isProbe(_ path: String) -> Bool { path.hasPrefix("/health/") || path == "/metrics" }

    private func describe(
        _ span: any Span, _ request: Request, _ method: String, _ response: Response, _ endpoint: String?
    ) {
        span.updateAttributes { attributes in
            attributes["http.request.method"] = method
            attributes["url.path"] = request.uri.path
            attributes["url.scheme"] = "http"
            attributes["http.response.status_code"] = response.status.code
        }
        if let endpoint, endpoint != "NotFound" {
            span.operationName = "\(method) \(endpoint)"
            span.updateAttributes { $0["http.route"] = endpoint }
        }
        if response.status.code >= 500 { span.failed(String(response.status.code)) }
    }
}

private struct FieldsExtractor: Extractor {
    func extract(key: String, from carrier: HTTPFields) -> String? {
        HTTPField.Name(key).flatMap { carrier[$0] }
    }
}
