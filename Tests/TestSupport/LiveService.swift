import Foundation
import Hummingbird
package import Logging
package import SettleServiceKit
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
        let port = try freePort()
        let outbound = OutboundHTTP(options, logger: TestService.quiet)
        let group = ServiceGroup(
            services: [outbound, try TestService.make(port: port, checks: checks, more: more)],
            logger: TestService.quiet)
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
        limits: HTTPLimits? = nil, logger: Logger = TestService.quiet,
        more: @escaping @Sendable (ServiceRoutes) -> Void = { _ in }, _ body: (_ port: Int) async throws -> Void
    ) async throws {
        let port = try freePort()
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
        for _ in 0..<1000 {
            // Refused until it listens.
            if let client = try? await RawClient.open(port) { return await client.close() }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw NotListening()
    }

    private static func untilReady(_ client: ServiceClient) async throws {
        for _ in 0..<1000 {
            // Refused until it listens.
            if let answer = try? await client.send(.get, "/health/live"), answer.status == 200 { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw NotListening()
    }

    package struct NotListening: Error {}

    /// A port that nothing listens on at this moment.
    package static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // The address lives as long as the closures; its size goes with it.
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard isBound else { throw NotListening() }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
