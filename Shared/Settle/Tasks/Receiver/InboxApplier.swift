import SettleCore
import Foundation
import SettlePostgres

/// Applies tasks one by one and remembers in `settle.inbox` which were decided, and how: for a receiver that does not
/// want to think about copies.
///
/// The row and what the task does are one transaction. A refusal undoes what was done for that task, not its neighbours'.
struct InboxApplier<Body: Codable & Sendable>: TaskApplier {
    /// Does one task; returns its answer as JSON, nil for none. Throws `TaskRefusal` when it will never be done.
    typealias Handle = @Sendable (Body, borrowing PostgresTransaction) throws -> String?

    private static var maxKeyBytes: Int { 512 }
    /// Beside the task's own fields, which are in the answer, too.
    private static var maxAnswerBytes: Int { 512 << 10 }
    /// How many tasks one transaction does: each is a subtransaction, of which a server's backend remembers 64 cheaply.
    private static var maxTasks: Int { 60 }

    private let database: PostgresDatabase
    private let inbox: InboxStore
    private let keyOf: @Sendable (Body) -> String
    private let handle: Handle

    init(
        _ queue: String, database: PostgresDatabase, key: @escaping @Sendable (Body) -> String,
        handle: @escaping Handle
    ) {
        self.database = database
        self.handle = handle
        keyOf = key
        inbox = InboxStore(queue: queue)
    }

    func dedupKey(of body: Body) -> String { keyOf(body) }

    func check(_ body: Body) throws {
        let key = keyOf(body)
        guard (1...Self.maxKeyBytes).contains(key.utf8.count), !key.utf8.contains(0) else {
            throw UnreadableMessage(description: "its key must have 1 to \(Self.maxKeyBytes) bytes, none of them zero")
        }
    }

    func decided(_ tasks: [ReceivedTask<Body>]) async throws -> [TaskOutcome?] {
        try await inbox.find(try tasks.map(entry), in: database).map { record in
            record.flatMap(Self.outcome)
        }
    }

    func apply(_ tasks: [ReceivedTask<Body>]) async throws -> [TaskOutcome] {
        var outcomes: [TaskOutcome] = []
        for start in stride(from: 0, to: tasks.count, by: Self.maxTasks) {
            outcomes += try await apply(together: Array(tasks[start..<min(start + Self.maxTasks, tasks.count)]))
        }
        return outcomes
    }

    private func apply(together tasks: [ReceivedTask<Body>]) async throws -> [TaskOutcome] {
        let entries = try tasks.map(entry)
        return try await database.transaction { [inbox] transaction in
            let records = try inbox.add(entries, in: transaction)
            var answers: [(key: String, answer: TaskAnswer)] = []
            let outcomes = try zip(tasks, records).map { task, record in
                if let known = Self.outcome(of: record) { return known }
                let outcome = try perform(task.body, in: transaction)
                if let answer = outcome.answer { answers.append((keyOf(task.body), answer)) }
                return outcome
            }
            inbox.conclude(answers, in: transaction)
            return outcomes
        }
    }

    private func perform(_ body: Body, in transaction: borrowing PostgresTransaction) throws -> TaskOutcome {
        do {
            let answer = try transaction.savepoint { try handle(body, transaction) }
            guard let answer else { return .applied }
            guard answer.utf8.count <= Self.maxAnswerBytes, !answer.utf8.contains(0) else {
                throw UnreadableMessage(description: "its answer has more than \(Self.maxAnswerBytes) bytes")
            }
            return .answered(body: answer)
        } catch let refusal as TaskRefusal {
            // PostgreSQL's texts hold no NUL, and a reason is for people.
            return .rejected(reason: String(refusal.reason.prefix(1000)).replacing("\0", with: " "))
        }
    }

    private func entry(_ task: ReceivedTask<Body>) throws -> InboxStore.Entry {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return InboxStore.Entry(
            key: keyOf(task.body), content: String(decoding: try encoder.encode(task.body), as: UTF8.self))
    }

    /// Nil for one that is still to be done.
    private static func outcome(of record: InboxStore.Record) -> TaskOutcome? {
        switch record {
        case .new: nil
        case .decided(let answer): .duplicate(answer)
        case .otherContent: .conflict(reason: "a task with this key was decided for other content")
        }
    }
}
