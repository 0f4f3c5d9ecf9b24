import Foundation
import HTTPTypes
import Logging
import SettleServiceKit
import ShopContract

/// What is on its way at one moment.
struct InFlight: Encodable, Sendable, Equatable {
    /// Requests to place an order without an answer.
    var requests = 0
    /// Orders that are placed, or being cancelled.
    var orders = 0
    /// Tasks without an answer.
    var tasks = 0
    /// Decisions that not every participant has confirmed.
    var decisions = 0
    /// Branches that wait for their decision.
    var branches = 0
    /// Messages at the message centre.
    var messages = 0

    var isNothing: Bool { self == InFlight() }
}

/// All services at one moment.
struct Look: Sendable {
    struct Service: Sendable {
        var process: UUID?
        var isReady = false
        /// Nil when it could not be asked.
        var inFlight: InFlight?
        var counts: [Evidence: Double] = [:]
    }

    var services: [String: Service] = [:]  // ours
}

extension Shop {
    private struct Tasks: Decodable {
        struct Line: Decodable { let createTime: Int64 }
        let tasks: [Line]
    }

    private struct Decisions: Decodable {
        struct Line: Decodable { let createdAt: Date }
        let decisions: [Line]
    }

    private struct Branches: Decodable {
        struct Line: Decodable { let createdAt: Date }
        let branches: [Line]
    }

    private struct Messages: Decodable {
        let counts: [String: Int]  // ours
    }

    /// Asks all services, each for two seconds at most.
    ///
    /// - Parameter begin: what is older is not counted.
    func look(since begin: Date) async -> Look {
        await withTaskGroup { group in
            for (name, _) in services { group.addTask { (name, await lookAt(name, since: begin)) } }
            var found = Look()
            for await (name, service) in group { found.services[name] = service }
            return found
        }
    }

    private func lookAt(_ name: String, since begin: Date) async -> Look.Service {
        guard let process = await process(of: name) else { return Look.Service() }
        var service = Look.Service(process: process)
        do {
            async let ready = try client(name).send(.get, "/health/ready", timeout: .seconds(2)).status == 200
            async let counts = Evidence.counts(
                in: String(decoding: try client(name).send(.get, "/metrics", timeout: .seconds(2)).body, as: UTF8.self))
            (service.isReady, service.counts) = (try await ready, try await counts)
            service.inFlight = try await inFlight(at: name, since: begin)
        } catch {
            // While something is broken that is to be expected; how it ends is what counts.
            logger.debug("a service could not be looked at", metadata: ["service": "\(name)", "error": "\(error)"])
        }
        return service
    }

    private func inFlight(at name: String, since begin: Date) async throws -> InFlight {
        var found = InFlight()
        switch name {
        case ShopServices.order.name:
            async let recent = orders(since: begin)
            async let tasks: Tasks = get(name, "/tasks?status=pending&limit=200")
            async let decisions: Decisions = get(name, "/decisions?limit=200")
            found.orders = try await recent.count { ["placed", "cancelling"].contains($0.status) }
            found.tasks = try await tasks.tasks.count { Double($0.createTime) / 1000 >= begin.timeIntervalSince1970 }
            found.decisions = try await decisions.decisions.count { $0.createdAt >= begin }
        case ShopServices.messageCentre.name:
            let counts = try await get(name, "/messages?limit=1", as: Messages.self).counts
            found.messages = ["prepared", "confirmed", "sent"].reduce(0) { $0 + (counts[$1] ?? 0) }
        default:
            let branches: Branches = try await get(name, "/transactions?limit=1000")
            found.branches = branches.branches.count { $0.createdAt >= begin }
        }
        return found
    }
}
