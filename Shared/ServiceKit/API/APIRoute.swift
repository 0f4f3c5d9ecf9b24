import HTTPTypes
import Hummingbird
import Synchronization

/// `GET /openapi.json`: what the service can be asked, once all of its routes are known.
final class APIRoute: Sendable {
    private let description: APIDescription
    private let document = Mutex("")

    init(_ description: APIDescription) {
        self.description = description.adding(HealthRoutes.operations + [MetricsRoute.operation, Self.operation])
    }

    func add(to router: ServiceRouter) {
        router.get("openapi.json") { [self] _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: document.withLock { $0 })))
        }
    }

    /// - Parameter routes: all that there are.
    func set(_ routes: [(path: String, method: String)]) {
        let made = APIDocument(description, routes: routes)
        // Found by whoever runs it while it is written; nobody's service stops for it.
        assert(made.gaps.isEmpty, "the routes are not what is said of them: \(made.gaps.joined(separator: "; "))")
        document.withLock { $0 = made.text }
    }

    private static let operation = APIOperation(.get, "/openapi.json", .always, "This document.")
        .answering(.ok, schema)

    private static let schema = APISchema.object([
        "openapi": .text, "jsonSchemaDialect": .text, "info": .any, "servers": .any, "paths": .any, "components": .any,
    ])
}
