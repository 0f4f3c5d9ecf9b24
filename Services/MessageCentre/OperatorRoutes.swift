import Hummingbird
import Settle
import SettleCore
import SettleHTTP
import SettleServiceKit

/// What operators ask of the centre, and do; internal.
struct OperatorRoutes {
    struct Messages: Encodable {
        let messages: [MessageEntry]
        let counts: [String: Int]  // ours
        /// What `before` takes for the next page.
        let next: Int64?
    }

    struct IDs: Decodable {
        let ids: [String]
        let reason: String?
    }

    let centre: Centre
    let checkBack: MessageCheckBack

    func add(to guarded: ServiceRoutes) {
        guarded.get("messages") { request, _ in
            let limit = try request.queryInteger("limit", in: 1...200, default: 50)
            let status = try request.queryChoice("status", of: MessageStatus.allCases.map(\.rawValue))
            let before = try await before(try request.queryString("before"))
            let messages = try await centre.store.messages(
                status: status.flatMap(MessageStatus.init), before: before, limit: limit)
            let counts = try await centre.store.counts().map { ($0.rawValue, $1) }
            return try Response.json(
                Messages(
                    messages: messages, counts: Dictionary(counts, uniquingKeysWith: { $1 }),
                    next: messages.count == limit ? messages.last?.number : nil))
        }
        guarded.get("messages/:id") { _, context in
            guard let message = try await centre.store.message(try context.pathParameter("id")) else {
                throw Problem.notFound("there is no such message")
            }
            return try Response.json(message)
        }
        guarded.post("send") { request, context in
            let ids = try await requireIDs(request, context).ids
            try await centre.store.makeDue(ids)
            centre.relay.wake()
            checkBack.signal.offer(())
            return Response.empty(.accepted)
        }
        guarded.post("discard") { request, context in
            let wanted = try await requireIDs(request, context)
            let reason = wanted.reason.flatMap { $0.isEmpty ? nil : $0 } ?? "discarded by an operator"
            let isDiscarded = try await centre.discard(wanted.ids, because: reason)
            let words = zip(wanted.ids, isDiscarded).map { ($0, $1 ? "discarded" : "unknown") }
            return try Response.json(MessageResults(results: Dictionary(words, uniquingKeysWith: { $1 })))
        }
    }

    private func requireIDs(_ request: Request, _ context: some RequestContext) async throws -> IDs {
        let wanted = try await requireJSON(IDs.self, from: request, context: context)
        try Check.count("ids", wanted.ids, 1...1000)
        for (index, id) in wanted.ids.enumerated() { try Check.length("ids[\(index)]", id, 1...64) }
        if let reason = wanted.reason { try Check.length("reason", reason, 0...1000) }
        return wanted
    }

    /// The number of a message, as `next` gives it, or a message's own id.
    private func before(_ text: String?) async throws -> Int64? {
        guard let text else { return nil }
        if let number = Int64(text) { return number }
        guard let message = try await centre.store.message(text) else {
            throw Problem.unprocessable("before must be what 'next' gives, or the id of a message")
        }
        return message.number
    }
}
