import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Settle
import SettleServiceKit
import ShopContract

/// What became of one order, across the services, in the order of time.
struct OrderStory: Encodable, Sendable {
    let order: Order
    let events: [StoryEvent]
    /// What the order waits for.
    let open: [StoryStep]
    /// Services that could not be asked now.
    let missing: [String]
}

/// A branch, as `GET /transactions/{xid}` of a participant gives it.
struct BranchLine: Decodable, Sendable {
    /// Nil from a participant that was written before transactions had several.
    let branch: String?
    let mode: String?
    let action: String?
    let state: String
    let createdAt: Date
    let endedAt: Date?
    let checks: Int
    let errormsg: String?
}

/// `GET /orders/{id}/story`, for operators.
struct StoryRoutes {
    private struct Branches: Decodable {
        let branches: [BranchLine]
    }

    let store: OrderStore
    let initiator: TransactionInitiator?
    let participants: [(name: String, client: ServiceClient)]
    let logger: Logger

    func add(to guarded: ServiceRoutes) {
        guarded.get("orders/:id/story") { _, context in
            guard let id = UUID(uuidString: try context.pathParameter("id")), let details = try await store.order(id)
            else { throw Problem.notFound("there is no such order") }
            return try Response.json(try await story(of: details))
        }
    }

    private func story(of details: OrderDetails) async throws -> OrderStory {
        let order = details.order
        var events = [StoryEvent.placed(order)]
        var open: [StoryStep] = []
        switch details.steps {
        case .tasks(let tasks):
            events += tasks.flatMap(StoryEvent.task)
            open += tasks.compactMap(StoryStep.task)
        case .messages(let messages):
            events += messages.flatMap(StoryEvent.message)
            open += messages.compactMap(StoryStep.message)
        }
        var missing: [String] = []
        if let xid = order.xid.flatMap(XID.init(rawValue:)) {
            if let decision = try await initiator?.record(of: xid) { events += StoryEvent.decision(decision) }
            for (name, branches) in await branches(of: xid, orderID: order.key) {
                guard let branches else {
                    missing.append(name)
                    continue
                }
                events += branches.flatMap { StoryEvent.branch($0, of: name) }
                open += branches.compactMap { StoryStep.branch($0, of: name) }
            }
        }
        return OrderStory(order: order, events: events.sorted { $0.at < $1.at }, open: open, missing: missing)
    }

    /// Of all participants at once; nil of one that could not be asked.
    private func branches(of xid: XID, orderID: String) async -> [(name: String, branches: [BranchLine]?)] {
        await withTaskGroup { group in
            for (name, client) in participants {
                group.addTask { (name, await branches(of: xid, orderID: orderID, at: name, client)) }
            }
            var all: [(name: String, branches: [BranchLine]?)] = []
            for await found in group { all.append(found) }
            return all.sorted { $0.name < $1.name }
        }
    }

    private func branches(
        of xid: XID, orderID: String, at name: String, _ client: ServiceClient
    ) async -> [BranchLine]? {
        do {
            let answer = try await client.send(.get, "/transactions/\(xid)", timeout: .seconds(2))
            return answer.status == 404 ? [] : try client.decode(answer, as: Branches.self).branches
        } catch {
            logger.info(
                "a participant could not be asked for an order's story",
                metadata: ["orderId": "\(orderID)", "xid": "\(xid)", "participant": "\(name)", "error": "\(error)"])
            return nil
        }
    }
}
