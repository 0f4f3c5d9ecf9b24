import Foundation
public import Hummingbird
import SettlePostgres
public import SettleServiceKit
public import Settle

/// What the message centre asks and tells a producer; internal.
public struct ProducerRoutes: Sendable {
    static let maxMessages = 1000
    private let producer: MessageProducer

    /// The routes of `producer`.
    public init(_ producer: MessageProducer) { self.producer = producer }

    /// Adds `POST /messages/check` and `POST /messages/outcomes`.
    public func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.post("messages/check") { request, context in
            let asked = try await requireJSON(CheckRequest.self, from: request, context: context).messages
            try Check.count("messages", asked, 0...Self.maxMessages)
            for (index, message) in asked.enumerated() where message.paramMap?.isObject == false {
                throw Problem.unprocessable("messages[\(index)].paramMap must be an object")
            }
            let ids = asked.map(\.id)
            let verdicts = try await producer.verdicts(on: ids.compactMap(Self.id))
            // Of an id that is none of ours nothing is known.
            let results = ids.map { ($0, Self.id($0).flatMap { verdicts[$0] } ?? .undecided) }
            return try Response.json(
                MessageResults(results: Dictionary(results.map { ($0, $1.rawValue) }, uniquingKeysWith: { $1 })))
        }
        guarded.post("messages/outcomes") { request, context in
            let told = try await requireJSON(OutcomesRequest.self, from: request, context: context).outcomes
            try Check.count("outcomes", told, 0...Self.maxMessages)
            for (index, outcome) in told.enumerated() {
                try Check.choice(
                    "outcomes[\(index)].status", outcome.status,
                    of: [TaskState.finished.rawValue, TaskState.rejected.rawValue])
            }
            let taken = Set(try await producer.take(told.compactMap(Self.outcome)))
            // One that cannot be ours is taken, too: it would come for ever.
            let results = told.map(\.id).filter { Self.id($0).map(taken.contains) ?? true }.map { ($0, "taken") }
            return try Response.json(MessageResults(results: Dictionary(results, uniquingKeysWith: { $1 })))
        }
    }

    private static func id(_ text: String) -> UUID? { UUID(uuidString: text) }

    private static func outcome(_ told: WireOutcome) -> MessageOutcome? {
        guard let id = id(told.id) else { return nil }
        let reason = told.errormsg.flatMap { $0.isEmpty ? nil : $0 } ?? "rejected without a reason"
        return MessageOutcome(id: id, rejection: told.status == TaskState.rejected.rawValue ? reason : nil)
    }
}

extension ProblemMapping {
    /// What a client is told when a business transaction came too late for its message, or too many wait.
    public static let messages = ProblemMapping { error in
        (error as? PostgresError).flatMap(MessageGivenUp.init) == nil
            ? nil : .unavailable("it took too long; nothing was done")
    }
}
