import Foundation
public import Hummingbird
import HummingbirdCore
import Logging
import Metrics
import NIOCore
public import ServiceLifecycle

/// The HTTP side of a service: its routes with health, metrics, tracing, limits and problem documents around them.
///
/// Listed last, it stops first: no new connections, requests in flight are finished.
public struct HTTPService: Service {
    /// Answers requests; for tests that need no socket.
    public let responder: RouterResponder<ServiceRequestContext>
    private let host: String
    private let port: Int
    private let limits: HTTPLimits
    private let checks: [HealthCheck]
    private let metrics: any MetricsFactory
    private let logger: Logger

    /// - Parameters:
    ///   - bootstrap: what the process has made of its settings.
    ///   - checks: what readiness asks.
    ///   - problems: how errors of the layers below are answered; any other is a 500 that is logged.
    ///   - middlewares: around the service's own routes, the first one outermost.
    ///   - isOpen: asked with the path of a request to one of the service's own routes: while it is false, that is
    ///     answered 503. Health and metrics are always served.
    ///   - limits: those of the settings unless given.
    ///   - description: of its own routes, for `GET /openapi.json`; without one there is none. In a debug build it must say
    ///     something of each of them, and of no other.
    ///   - routes: adds the service's routes; those of its second argument need the bearer token.
    public init(
        _ bootstrap: Bootstrap, checks: [HealthCheck], problems: [ProblemMapping] = [],
        middlewares: [any MiddlewareProtocol<Request, Response, ServiceRequestContext>] = [],
        isOpen: @escaping @Sendable (_ path: String) -> Bool = { _ in true }, limits: HTTPLimits? = nil,
        description: APIDescription? = nil, routes: (_ open: ServiceRoutes, _ internal: ServiceRoutes) -> Void
    ) {
        let limits = limits ?? bootstrap.settings.httpLimits
        let router = ServiceRouter(context: ServiceRequestContext.self, options: .autoGenerateHeadEndpoints)
        let table = RouteTable()
        // Middleware applies to the routes added after it.
        router.add(middleware: TraceMiddleware())
        router.add(middleware: RequestMetrics(factory: bootstrap.metrics))
        router.add(middleware: ProblemMiddleware(mappings: problems, routes: table))
        HealthRoutes(checks: checks).add(to: router)
        MetricsRoute(metrics: bootstrap.metrics).add(to: router)
        let api = description.map(APIRoute.init)
        api?.add(to: router)
        router.add(middleware: OriginMiddleware())
        router.add(middleware: AdmissionMiddleware(limits: limits, isOpen: isOpen))
        for middleware in middlewares { router.add(middleware: middleware) }
        routes(router.group(), router.group().add(middleware: BearerTokenMiddleware(bootstrap.settings.token)))
        let all = router.routes.map { (path: $0.path.description, method: $0.method.rawValue) }
        table.set(all)
        api?.set(all)
        responder = router.buildResponder()
        host = bootstrap.settings.listenAddress.host
        port = bootstrap.settings.listenAddress.port
        self.limits = limits
        self.checks = checks
        metrics = bootstrap.metrics
        logger = bootstrap.logger
    }

    /// Serves until a graceful shutdown; throws when it cannot listen.
    public func run() async throws {
        let load = ServerLoad(
            maxConnections: maxConnections, bodyBudget: limits.bodyBudget, factory: metrics, logger: logger)
        let application = Application(
            responder: responder,
            server: HTTPServerBuilder { [limits] responder in
                ServiceChannel(responder: responder, limits: limits, load: load)
            },
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), backlog: 1024),
            onServerRunning: { [logger] channel in
                // Fails only when the service has been stopped meanwhile.
                try? await channel.eventLoop.submit {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(logger: logger), position: .first)
                }.get()
            },
            logger: logger)
        #if canImport(Glibc)
            let notifier = SystemdNotifier(
                ProcessInfo.processInfo.environment, isReady: { await HealthRoutes(checks: checks).isReady() },
                logger: logger)
            if let notifier {
                async let told: Void = notifier.run()
                try await application.run()
                return await told
            }
        #endif
        try await application.run()
    }

    private var maxConnections: Int {
        let descriptors = DescriptorLimit.raise()
        let most = max(1, descriptors / 2)
        if most < limits.maxConnections {
            logger.warning(
                "fewer connections than HTTP_MAX_CONNECTIONS: at most half of the descriptors are for them",
                metadata: ["connections": "\(most)", "descriptors": "\(descriptors)"])
        }
        return min(limits.maxConnections, most)
    }
}
