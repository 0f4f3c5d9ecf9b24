import SettleServiceKit
public import Hummingbird
public import Settle

/// `/dead-letters`: the messages that a service set aside, for operators; internal.
public struct DeadLetterRoutes: Sendable {
    struct Letters: Encodable {
        let deadLetters: [SetAsideRecord]
        let counts: SetAsideCounts
    }

    struct Which: Decodable {
        let queue: String?
    }

    struct Retried: Encodable {
        let retried: Int
    }

    private let setAside: SetAside

    /// The routes of `setAside`.
    public init(_ setAside: SetAside) {
        self.setAside = setAside
    }

    /// Adds the list, newest first, one of them with its content, sending again (one, all, or those of a queue), and forgetting one.
    public func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.get("dead-letters") { request, _ in
            let limit = try request.queryInteger("limit", in: 1...200, default: 50)
            let before = try request.queryInteger("before", in: 1...Int.max)
            let status = try request.queryChoice("status", of: ["dead", "waiting"])
            return try Response.json(
                Letters(
                    deadLetters: try await setAside.records(
                        isDead: status != "waiting", before: before.map { Int64($0) }, limit: limit),
                    counts: try await setAside.counts()))
        }
        guarded.get("dead-letters/:id") { _, context in
            guard let letter = try await setAside.content(of: try context.pathInteger("id")) else {
                throw Problem.notFound("no message with this id is set aside")
            }
            return try Response.json(letter)
        }
        guarded.post("dead-letters/retry") { request, context in
            let which = try await optionalJSON(Which.self, from: request, context: context)
            return try Response.json(
                Retried(retried: try await setAside.retryAll(queue: which?.queue)), status: .accepted)
        }
        guarded.post("dead-letters/:id/retry") { _, context in
            guard try await setAside.retry(try context.pathInteger("id")) else { throw Self.notFound }
            return Response.empty(.accepted)
        }
        guarded.delete("dead-letters/:id") { _, context in
            guard try await setAside.discard(try context.pathInteger("id")) else { throw Self.notFound }
            return Response.empty(.noContent)
        }
    }

    private static let notFound = Problem.notFound("there is no dead letter with this id that can be sent again")
}
