import Foundation
import SettleCore
import SettlePostgres

/// The tables `task` and `task_his`: all that is done to them goes through here. Their statements are in `TaskStatements`.
public struct TaskStore: RelayStore {
    private(set) var database: PostgresDatabase
    package let settings: TaskSettings
    let schema: SchemaName
    let statements: TaskStatements

    /// - Parameter schema: the one that the tables are in.
    init(database: PostgresDatabase, schema: SchemaName = .public, settings: TaskSettings) {
        self.database = database
        self.schema = schema
        self.settings = settings
        statements = TaskStatements(schema: schema, purgeBatch: settings.batchSize)
    }

    /// The same over other connections to the same database.
    func over(_ database: PostgresDatabase) -> TaskStore {
        var store = self
        store.database = database
        return store
    }

    // MARK: Writing

    /// Writes `drafts` with `transaction`, leased to the process that writes them; the ticket's rows are `OutgoingTask`s.
    func insert(_ drafts: [TaskDraft], in transaction: borrowing PostgresTransaction) -> PostgresTicket {
        transaction.add(statements.insert, insertion(drafts))
    }

    /// What a draft says of a task, and its lease: an array each.
    func insertion(_ drafts: [TaskDraft]) -> [PostgresValue] {
        [
            .texts(drafts.map(\.route.taskType)), .texts(drafts.map(\.businessKey)),
            .texts(drafts.map(\.route.exchange)), .texts(drafts.map(\.route.routingKey)),
            .texts(drafts.map(\.requestBody)), .texts(drafts.map(\.traceParent)),
            .ints(drafts.map { settings.lease(of: $0.route.taskType).milliseconds }),
        ]
    }

    // MARK: Sending

    /// Leases up to `limit` due tasks to the caller and returns them; parks instead those whose attempts are used up.
    ///
    /// - Parameter reach: how long they may have been due; nil: for ever.
    package func claim(limit: Int, reach: Duration?) async throws -> ClaimedTasks {
        let begin = ContinuousClock.now
        let rows = try await database.query(
            statements.claim(limit: limit),
            [.int(settings.lease.milliseconds), .int(settings.maxAttempts)] + settings.typeParameters
                + [reach.map { .int64(Int64($0 / .microseconds(1))) } ?? .null])
        var claimed = ClaimedTasks()
        for row in rows {
            guard try row.decode(Int64?.self, at: 0) != nil else {
                try claimed.read(signs: row)
                continue
            }
            let task = try OutgoingTask(row: row, leasedAt: begin, settings)
            switch TaskState(rawValue: try row.decode(String.self, at: OutgoingTask.columnCount)) {
            case .parked:
                let errormsg = try row.decode(String?.self, at: OutgoingTask.columnCount + 1)
                claimed.parked.append(ParkedTask(task: task, errormsg: errormsg))
            case .paused: claimed.paused += 1
            default: claimed.tasks.append(task)
            }
            claimed.upTo = .microseconds(try row.decode(Int64.self, at: OutgoingTask.columnCount + 2))
        }
        return claimed
    }

    /// The broker has these: they are sent again only if no answer comes for long, later each time. A task that is not as
    /// it was sent any more, since an operator retried it or another process claimed it, is left alone.
    package func postpone(_ leases: [TaskLease]) async throws {
        _ = try await database.query(
            statements.postpone,
            [
                .int64s(leases.map(\.id)), .int64s(leases.map(\.due)), .int(settings.republishAfter.milliseconds),
                .int(settings.republishCap.milliseconds),
            ] + settings.typeParameters)
    }

    /// The broker would not take these: says why in the row, and when they are tried again; as with `postpone`, only what
    /// is still as it was sent.
    package func refused(_ refusals: [Refusal]) async throws {
        _ = try await database.query(
            statements.refused,
            [
                .int64s(refusals.map(\.lease.id)), .int64s(refusals.map(\.lease.due)), .texts(refusals.map(\.reason)),
                .ints(refusals.map { settings.refusedBackoff.delay(attempt: $0.attempts).milliseconds }),
            ])
    }

    /// The broker never got these, or never said so: what was counted as an attempt was none. Each was counted once, by
    /// whom it was sent, so this needs no lease. They come due when their lease ends.
    package func notAttempted(_ ids: [Int64]) async throws {
        _ = try await database.query(statements.notAttempted, [.int64s(ids)])
    }

    // MARK: Answers

    /// Moves the answered tasks to `task_his`, inside `transaction`; returns those that were still there.
    ///
    /// An answer that comes again finds nothing: it makes no second row and has no second effect. So does one to another
    /// task with the same id, of a database that was reset or of another sender on the same route: what an answer
    /// carries of its task must be the task's own.
    ///
    /// - Parameter answers: no two with the same id.
    func archive(_ answers: [Answer], in transaction: borrowing PostgresTransaction) throws -> [AnsweredTask] {
        let rows = try transaction.query(
            statements.archive,
            [
                .int64s(answers.map(\.id)), .texts(answers.map(\.taskType)), .texts(answers.map(\.status.rawValue)),
                .texts(answers.map(\.errormsg)), .texts(answers.map(\.requestBody)),
                .ints(answers.map { $0.createTime.map { Int($0) } }),
            ])
        let bodies = answers.reduce(into: [:]) { $0[$1.id] = $1.body }
        return try rows.map { try AnsweredTask(row: $0, bodies: bodies) }
    }

    /// Which of these are not archived, and which were given up.
    func live(
        _ ids: [Int64], in transaction: borrowing PostgresTransaction
    ) throws -> (live: [Int64], givenUp: [Int64]) {
        var found: (live: [Int64], givenUp: [Int64]) = ([], [])
        for row in try transaction.query(statements.live, [.int64s(ids)]) {
            let id = try row.decode(Int64.self, at: 0)
            if try row.decode(String?.self, at: 1) == nil { found.live.append(id) } else { found.givenUp.append(id) }
        }
        return found
    }

    /// Those of `ids` that are live, each with what it is about, and whether another transaction holds it now. Waits for
    /// none.
    func held(among ids: [Int64]) async throws -> [(id: Int64, businessKey: String, isHeld: Bool)] {
        try await database.query(statements.held, [.int64s(ids)]).map {
            (
                id: try $0.decode(Int64.self, at: 0), businessKey: try $0.decode(String.self, at: 1),
                isHeld: try !$0.decode(Bool.self, at: 2)
            )
        }
    }

    // MARK: What is archived

    /// One batch of a purge: forgets archived tasks with ids above `key` that were answered longer ago than `retention`.
    package func purge(after key: Int64?, retention: Duration) async throws -> PurgeWalk<Int64>.Step {
        let row = try await database.transaction { transaction in
            transaction.planAlongTheIndex()
            // An aggregate without GROUP BY: there always is a row.
            return try transaction.query(
                statements.purge, [.int(retention.milliseconds), .int64(key ?? .min)])[0]
        }
        return PurgeWalk.Step(
            last: try row.decode(Int64?.self, at: 2), walked: try row.decode(Int.self, at: 0),
            purged: try row.decode(Int.self, at: 1))
    }
}

/// A task that the broker returned or refused.
package struct Refusal: Sendable {
    package let lease: TaskLease
    package let attempts: Int
    package let reason: String
}

/// What a look for due tasks found.
package struct ClaimedTasks: Sendable {
    /// Leased to who looked.
    package var tasks: [OutgoingTask] = []
    package var parked: [ParkedTask] = []
    /// How long the last of them had been due, in the order of their times; zero where there are none.
    package var upTo: Duration = .zero
    /// How many were found whose type is paused.
    var paused = 0
    /// Those that are.
    var pausedTypes: Set<ByteKey> = []
    /// Whether tasks of a type that was resumed may still have to be made due.
    var isResuming = false
    /// Whether there are tasks that nobody has answered in time.
    var hasExpired = false

    package init() {}

    var count: Int { tasks.count + parked.count + paused }

    /// The row of a claim that is of no task.
    fileprivate mutating func read(signs row: PostgresRow) throws {
        let types = try row.decode(String?.self, at: OutgoingTask.columnCount)
        pausedTypes = try types.map { try JSONDecoder().decode([String].self, from: Data($0.utf8)).byteKeys } ?? []
        isResuming = try row.decode(String?.self, at: OutgoingTask.columnCount + 1) != nil
        hasExpired = try row.decode(Int64?.self, at: OutgoingTask.columnCount + 2) != nil
    }
}

/// A task whose attempts were used up just now.
package struct ParkedTask: Sendable {
    let task: OutgoingTask
    let errormsg: String?

    package init(task: OutgoingTask, errormsg: String?) {
        self.task = task
        self.errormsg = errormsg
    }
}
