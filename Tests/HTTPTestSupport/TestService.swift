import SettleCore
import Foundation
package import Hummingbird
package import HummingbirdTesting
import Instrumentation
package import Logging
package import SettleServiceKit
import SettleTestSupport

/// A small service with a route of each kind, for the tests.
package enum TestService {
    /// What a service cannot start without.
    package static let required = [
        "DATABASE_URL": "postgresql://shop:hunter2@db/shop", "AMQP_URL": "amqp://mq", "REDIS_URL": "redis://cache",
        "SETTLE_TOKEN": "s3cret-0123456789",
    ]
    package static let token = "test-token-0123456789"
    package static let olderToken = "older-token-0123456789"
    package static let authorization: HTTPFields = [.authorization: "Bearer \(token)"]
    package static let json: HTTPFields = [.contentType: "application/json"]

    package struct Body: Codable, Equatable {
        package let name: String
        package let count: Int

        package init(name: String, count: Int) {
            self.name = name
            self.count = count
        }
    }

    package struct Away: Error {
        package init() {}
    }

    package static func bootstrap(port: Int = 1, logger: Logger = quiet) throws -> Bootstrap {
        let reader = SettingsReader(
            flags: ["http-port": "\(port)"],
            environment: required.merging([
                "SETTLE_TOKEN": token, "SETTLE_TOKENS_ACCEPTED": olderToken,
            ]) { $1 })
        return Bootstrap(
            name: "test", settings: try Settings(reader, defaultPort: port), reader: reader, logger: logger,
            metrics: PrometheusMetrics())
    }

    package static func make(
        port: Int = 1, checks: [HealthCheck] = [], limits: HTTPLimits? = nil,
        isOpen: @escaping @Sendable (String) -> Bool = { _ in true }, logger: Logger = quiet,
        more: (ServiceRoutes) -> Void = { _ in }
    ) throws -> HTTPService {
        HTTPService(
            try bootstrap(port: port, logger: logger), checks: checks,
            problems: [ProblemMapping { $0 is Away ? .unavailable("the database is away", retryAfter: 3) : nil }],
            isOpen: isOpen, limits: limits
        ) { open, internalRoutes in
            open.get("things/:name") { request, context in
                let name = try context.pathParameter("name")
                return try Response.json(
                    Body(name: name, count: try request.queryInteger("limit", in: 1...200, default: 50)))
            }
            open.post("things") { request, context in
                let body = try await requireJSON(Body.self, from: request, context: context)
                try Check.length("name", body.name, 1...64)
                return try Response.json(body, status: .created, headers: [.location: "/things/\(body.name)"])
            }
            open.get("numbers/:id") { _, context in try Response.json(["id": try context.pathInteger("id")]) }
            open.get("away") { _, _ -> Response in throw Away() }
            open.get("broken") { _, _ -> Response in throw CocoaError(.fileNoSuchFile) }
            open.get("taken") { _, _ -> Response in throw Problem.conflict("insufficient-stock", "only 2 left") }
            open.get("trace") { _, _ in
                try Response.json(["traceparent": ServiceContext.current?.traceParent?.description ?? "none"])
            }
            internalRoutes.put("things/:name") { _, _ in Response.empty(.noContent) }
            more(open)
        }
    }

    /// The members of a problem document that every one must have.
    package struct Document: Decodable {
        package let type: String
        package let title: String
        package let status: Int
        package let detail: String?
    }
}

extension TestResponse {
    package func thing() throws -> TestService.Body {
        try JSONDecoder().decode(TestService.Body.self, from: Data(String(buffer: body).utf8))
    }

    package func problem() throws -> TestService.Document {
        try JSONDecoder().decode(TestService.Document.self, from: Data(String(buffer: body).utf8))
    }
}
