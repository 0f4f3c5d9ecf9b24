import Hummingbird
package import Logging
package import SettleServiceKit
import SettleTestSupport
package import ServiceLifecycle

/// Runs a service on a port of its own and a client beside it, as a service's main would.
package enum LiveService {
    /// - Parameter body: is given the base URL, the client's connections and the group, which it may stop itself.
    package static func run(
        options: OutboundHTTP.Options = OutboundHTTP.Options(),
        checks: [HealthCheck] = [HealthCheck("postgres") { true }],
        more: @escaping @Sendable (ServiceRoutes) -> Void = { _ in },
        _ body: (_ baseURL: String, OutboundHTTP, ServiceGroup) async throws -> Void
    ) async throws {
        let port = try Ports.take()
        let outbound = OutboundHTTP(options, logger: quiet)
        let group = ServiceGroup(
            services: [outbound, try TestService.make(port: port, checks: checks, more: more)],
            logger: quiet)
        let url = "http://127.0.0.1:\(port)"
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await untilReady(ServiceClient("test", baseURL: url, token: nil, over: outbound))
                try await body(url, outbound, group)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    /// The same for raw bytes: `body` is given the port, which nobody else has connected to.
    package static func raw(
        limits: HTTPLimits? = nil, logger: Logger = quiet,
        more: @escaping @Sendable (ServiceRoutes) -> Void = { _ in }, _ body: (_ port: Int) async throws -> Void
    ) async throws {
        let port = try Ports.take()
        let group = ServiceGroup(
            services: [try TestService.make(port: port, limits: limits, logger: logger, more: more)], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await untilListening(port)
                try await body(port)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    private static func untilListening(_ port: Int) async throws {
        // Refused until it listens.
        try await eventually("it listens", every: .milliseconds(5)) { Socket.accepts(port: port) }
    }

    private static func untilReady(_ client: ServiceClient) async throws {
        try await eventually("it is live", every: .milliseconds(5)) {
            // Refused until it listens.
            (try? await client.send(.get, "/health/live"))?.status == 200
        }
    }
}
