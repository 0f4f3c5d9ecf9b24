import Foundation
import Hummingbird
import SettleServiceKit

/// What can be broken, doing so, and what became of it; internal.
struct TrialRoutes {
    static let maxOrders = 200
    static let maxSeconds = 60

    private struct Switches: Encodable {
        let switches: [Switch]
    }

    private struct Records: Encodable {
        let trials: [TrialRecord]
    }

    struct Wanted: Decodable {
        let `switch`: String
        let orders: Int?
        let seconds: Int?
    }

    let trials: Trials

    func add(to guarded: ServiceRoutes) {
        guarded.on("switches", method: .get) { _, _ in try Response.json(Switches(switches: trials.switches)) }
        guarded.on("trials", method: .get) { _, _ in try Response.json(Records(trials: await trials.latest)) }
        guarded.on("trials/:id", method: .get) { _, context in
            guard let id = UUID(uuidString: try context.pathParameter("id")), let record = await trials.record(id)
            else {
                throw Problem.notFound("there is no such trial, or not any more")
            }
            return try Response.json(record)
        }
        guarded.on("trials", method: .post) { request, context in
            let wanted = try await requireJSON(Wanted.self, from: request, context: context)
            guard let fault = trials.switches.first(where: { $0.id == wanted.switch }) else {
                throw Problem.unprocessable("switch must be one of GET /switches")
            }
            let (orders, seconds) = (wanted.orders ?? 50, wanted.seconds ?? 8)
            try Check.range("orders", orders, in: 0...Self.maxOrders)
            try Check.range("seconds", seconds, in: 1...Self.maxSeconds)
            let record = try await trials.begin(fault, orders: orders, seconds: seconds)
            return try Response.json(record, status: .accepted)
        }
    }
}
