import Foundation
import Logging
import Settle
import SettleCore
import SettlePostgres

/// One applier on trial, over connections that can be lost on demand.
final class ApplierTrial<Applier: TaskApplier>: Sendable where Applier.Body: Encodable {
    typealias Received = ReceivedTask<Applier.Body>

    /// An applier whose `apply` makes more commits than this for one task is tried at the first ones.
    static var maxCommits: Int { 8 }

    private let applier: Applier
    let database: PostgresDatabase
    private let compared: Compared
    let commits: CommitControl
    /// What doing one task changes, by the count of rows.
    let shapes = Shapes()

    actor Shapes {
        var known: Set<Snapshot.Shape> = []
        func add(_ shape: Snapshot.Shape) { known.insert(shape) }
    }

    private init(_ applier: Applier, _ database: PostgresDatabase, _ compared: Compared, _ commits: CommitControl) {
        self.applier = applier
        self.database = database
        self.compared = compared
        self.commits = commits
    }

    /// With connections of its own, and others for looking.
    static func with(
        _ database: PostgresDatabase, _ compared: Compared, _ applier: (PostgresDatabase) -> Applier,
        _ body: (ApplierTrial) async throws -> Void
    ) async throws {
        let commits = CommitControl()
        var configuration = database.configuration
        configuration.name = "verify"
        configuration.connections = 4
        let logger = Logger(label: "settle-testing") { _ in SwiftLogNoOpLogHandler() }
        let tried = PostgresDatabase(
            configuration, logger: logger, losesConnection: LossOnDemand { commits.isLost(at: $0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await tried.run() }
            defer { group.cancelAll() }
            try await body(ApplierTrial(applier(tried), database, compared, commits))
        }
    }

    func look() async throws -> Snapshot {
        try await database.transaction { [compared] in try compared.snapshot($0) }
    }

    /// As a receiver reads it.
    func read(_ body: Applier.Body) throws -> Received {
        let text: String
        let read: Applier.Body
        do {
            text = String(decoding: try JSONEncoder().encode(body), as: UTF8.self)
            read = try JSONDecoder().decode(Applier.Body.self, from: Data(text.utf8))
            try applier.check(read)
        } catch {
            throw BrokenRule(.readable, "a body cannot be written, read and checked: \(error)")
        }
        guard applier.dedupKey(of: read) == applier.dedupKey(of: body) else {
            throw BrokenRule(.readable, "a body has another key once it was written and read again")
        }
        let message = TaskMessage(
            id: Int64.random(in: 1 ... .max), createTime: 1_700_000_000_000, updateTime: 1_700_000_000_000,
            taskType: "trial", mqExchange: "", mqRoutingkey: "trial", requestBody: text, status: "pending",
            errormsg: nil)
        return Received(message: message, body: read)
    }

    /// The same task as a sender would send it again that was restored from a backup: its id is another one.
    private func copy(_ task: Received) throws -> Received { try read(task.body) }

    func expectOwnKeys(_ one: Received, _ other: Received) throws {
        let keys = [applier.dedupKey(of: one.body), applier.dedupKey(of: other.body)]
        guard keys[0] != keys[1] else {
            throw BrokenRule(.readable, "task 1 and task 2 have the same key, '\(keys[0])'")
        }
    }

    /// Applies one task; a row that is held, or a tie with another process, is tried again as a receiver does. For any
    /// other failure there is no reason here.
    func apply(
        _ task: Received, _ rule: BrokenRule.Rule, _ what: @autoclosure () -> String
    ) async throws -> TaskOutcome {
        var tries = 0
        while true {
            do {
                return try await applyAll([task])[0]
            } catch  where Blame(error) == .heldRow && tries < 20 {
                tries += 1
                try await Task.sleep(for: .milliseconds(20))
            } catch  where Blame(error) != .nobody && !(error is BrokenRule) {
                throw BrokenRule(rule, "\(what()) fails: \(error)")
            }
        }
    }

    func applyAll(_ tasks: [Received]) async throws -> [TaskOutcome] {
        let outcomes = try await applier.apply(tasks)
        guard outcomes.count == tasks.count else {
            throw BrokenRule(.batch, "\(outcomes.count) outcomes for \(tasks.count) tasks")
        }
        return outcomes
    }

    // MARK: The rules

    func applied(_ task: Received) async throws {
        let before = try await look()
        let outcome = try await apply(task, .applied, "a new task")
        guard outcome.isDone else { throw BrokenRule(.applied, "a new task is said to be: \(outcome)") }
        let after = try await look()
        guard after != before else {
            throw BrokenRule(.applied, "a task was applied, and nothing of what is compared has changed")
        }
        await shapes.add(after.shape(since: before))
        for same in [task, try copy(task), task] {
            try await expectDuplicate(same, of: outcome, .copy, "a copy", since: after)
        }
    }

    /// - Parameter first: what was said of it first, where that is known.
    func expectDuplicate(
        _ task: Received, of first: TaskOutcome?, _ rule: BrokenRule.Rule, _ what: String, since before: Snapshot
    ) async throws {
        let outcome = try await apply(task, rule, what)
        guard outcome.isDuplicate(of: first) else {
            throw BrokenRule(
                rule, "\(what) is said to be: \(outcome); expected: a duplicate, with the same answer as at first")
        }
        try await expectUnchanged(rule, "\(what) has changed something", since: before)
    }

    func expectUnchanged(_ rule: BrokenRule.Rule, _ what: String, since before: Snapshot) async throws {
        let now = try await look()
        guard now == before else { throw BrokenRule(rule, "\(what):\n  \(now.difference(from: before))") }
    }

    /// - Parameter new: the places of those that were not applied before.
    func batch(_ tasks: [Received], new: Set<Int>) async throws {
        for isAgain in [false, true] {
            let outcomes = try await applyAll(tasks)
            for (place, outcome) in outcomes.enumerated() {
                let isNew = !isAgain && new.contains(place)
                guard isNew ? outcome.isDone : outcome.isDuplicate(of: nil) else {
                    throw BrokenRule(
                        .batch, "of a batch is said: \(outcomes); number \(place + 1) is \(isNew ? "new" : "a copy")")
                }
            }
        }
    }

    func conflict(_ task: Received, _ other: Received) async throws {
        guard applier.dedupKey(of: task.body) == applier.dedupKey(of: other.body) else {
            throw BrokenRule(.conflict, "the conflicting task has another key")
        }
        let before = try await look()
        let outcome = try await apply(other, .conflict, "another task with the same key")
        guard case .conflict = outcome else {
            throw BrokenRule(.conflict, "another task with the same key is said to be: \(outcome)")
        }
        try await expectUnchanged(.conflict, "another task with the same key has changed something", since: before)
        if let said = try await applier.decided([other]).first ?? nil {
            guard case .conflict = said else {
                throw BrokenRule(.decided, "of another task with the same key it says: \(said)")
            }
        }
    }

    func refusal(_ task: Received) async throws {
        let outcome = try await apply(task, .refusal, "what cannot be done")
        guard case .rejected = outcome else {
            throw BrokenRule(.refusal, "what cannot be done is said to be: \(outcome)")
        }
        let after = try await look()
        for same in [task, try copy(task)] {
            let again = try await apply(same, .refusal, "a copy of what was refused")
            guard again.answer == outcome.answer else {
                throw BrokenRule(.refusal, "a copy of what was refused is said to be: \(again); before: \(outcome)")
            }
            try await expectUnchanged(.refusal, "a copy of what was refused has changed something", since: after)
        }
    }

    func decided(_ task: Received) async throws {
        let before = try await look()
        guard try await applier.decided([task]) == [nil] else {
            throw BrokenRule(.decided, "it says something of a task that nobody has applied")
        }
        try await expectUnchanged(.decided, "the look has changed something", since: before)
        let outcome = try await apply(task, .decided, "a task that was looked for")
        guard outcome.isDone else {
            throw BrokenRule(.decided, "a task that was looked for is not applied then")
        }
        let after = try await look()
        let said = try await applier.decided([task])
        guard said.count == 1, said[0]?.isDuplicate(of: outcome) ?? true else {
            throw BrokenRule(.decided, "of a task that was applied it says: \(said)")
        }
        try await expectUnchanged(.decided, "the look has changed something", since: after)
    }
}

extension TaskOutcome {
    /// Applied, now.
    var isDone: Bool {
        switch self {
        case .applied, .answered: true
        case .rejected, .duplicate, .conflict: false
        }
    }

    /// Whether it is what a copy should get of a task that was done; of one of which was said `first`, if that is known.
    func isDuplicate(of first: TaskOutcome?) -> Bool {
        guard case .duplicate(let answer) = self else { return false }
        if let first { return answer == first.answer }
        if case .rejected = answer { return false }
        return true
    }
}
