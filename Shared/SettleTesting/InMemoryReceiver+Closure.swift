import Foundation
public import Settle
import SettleCore
import Synchronization

extension InMemoryBroker {
    /// Has the tasks of `type` done by a closure: the other service, where a test is about their sender.
    ///
    /// ```swift
    /// broker.receive(charge, dedupKey: \.orderId) { charge in
    ///     guard charge.amount < 100 else { throw TaskRefusal("too much") }
    ///     return Receipt(number: 7)
    /// }
    /// ```
    /// Each is done once for each key; copies get the same answer, and another body with a known key is a dead letter.
    ///
    /// - Parameters:
    ///   - type: which tasks.
    ///   - dedupKey: what two copies of one task have in common.
    ///   - failpoints: as of the real receiver.
    ///   - perform: throws `TaskRefusal` for what will never be done.
    public func receive<Body, Answer>(
        _ type: TaskType<Body, Answer>, dedupKey: @escaping @Sendable (Body) -> String, failpoints: Failpoints = .none,
        _ perform: @escaping @Sendable (Body) throws -> Answer
    ) {
        let applier = RememberingApplier<Body>(key: dedupKey) { body in
            let answer = try perform(body)
            return Answer.self == Done.self ? nil : String(decoding: try JSONEncoder().encode(answer), as: UTF8.self)
        }
        InMemoryReceiver(type.route, applier: applier, broker: self, failpoints: failpoints)
    }
}

/// Remembers in memory what was done, by the keys of the tasks.
private final class RememberingApplier<Body: Codable & Sendable>: TaskApplier {
    private struct Memory {
        let content: Data
        let answer: TaskAnswer
    }

    private let keyOf: @Sendable (Body) -> String
    private let perform: @Sendable (Body) throws -> String?
    private let known = Mutex<[ByteKey: Memory]>([:])

    init(key: @escaping @Sendable (Body) -> String, _ perform: @escaping @Sendable (Body) throws -> String?) {
        keyOf = key
        self.perform = perform
    }

    func dedupKey(of body: Body) -> String { keyOf(body) }
    func check(_ body: Body) throws {}

    func apply(_ tasks: [ReceivedTask<Body>]) async throws -> [TaskOutcome] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try known.withLock { known in
            // All or none, as in a transaction.
            var after = known
            let outcomes = try tasks.map { task in
                let key = ByteKey(keyOf(task.body))
                let content = try encoder.encode(task.body)
                if let memory = after[key] {
                    return memory.content == content
                        ? TaskOutcome.duplicate(memory.answer)
                        : .conflict(reason: "another task with this key was done")
                }
                let outcome = try outcome(of: task.body)
                if let answer = outcome.answer { after[key] = Memory(content: content, answer: answer) }
                return outcome
            }
            known = after
            return outcomes
        }
    }

    private func outcome(of body: Body) throws -> TaskOutcome {
        do {
            return try perform(body).map { .answered(body: $0) } ?? .applied
        } catch let refusal as TaskRefusal {
            return .rejected(reason: refusal.reason)
        }
    }
}
