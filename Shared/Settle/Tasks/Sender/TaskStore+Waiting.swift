import SettleCore
import SettlePostgres

// Tasks that ask for something, or are given up; types that are paused.
extension TaskStore {
    private var waiting: TaskStatements.Waiting { statements.waiting }

    // MARK: Writing

    /// As `insert`, with what the drafts ask for. The rows are `OutgoingTask`s, whether each is to be handed over, and its
    /// unique key; one whose key is taken has none.
    func insertWithOptions(_ drafts: [TaskDraft], in transaction: borrowing PostgresTransaction) -> TaskTicket {
        let lines = drafts.compactMap(\.options.orderKey)
        // One finds its place by itself.
        if lines.count > 1 { transaction.add(waiting.takeTurns, [.texts(lines)]) }
        let inserted = transaction.add(
            waiting.insert,
            insertion(drafts) + [
                .ints(drafts.map { $0.options.notBefore?.microsecondsSince1970 }),
                .texts(drafts.map(\.options.orderKey)),
                .ints(drafts.map { $0.options.expiresAt?.microsecondsSince1970 }),
                .texts(drafts.map { $0.options.expiresAt == nil ? nil : $0.options.onExpiry.rawValue }),
                .texts(drafts.map(\.options.uniqueKey)),
            ])
        let named = drafts.filter { $0.options.uniqueKey != nil }
        // A statement of its own, so that it sees what another transaction has committed meanwhile.
        let living =
            named.isEmpty
            ? nil
            : transaction.add(
                waiting.living, [.texts(named.map(\.route.taskType)), .texts(named.map(\.options.uniqueKey))])
        return TaskTicket(
            drafts: drafts.map { ($0.route.taskType, $0.options.uniqueKey) }, inserted: inserted, living: living)
    }

    // MARK: Lines

    /// Makes the first of each line due, if it was waiting, leased to who asks: after a statement of the same transaction
    /// that took out the one before it.
    ///
    /// - Parameter lines: no two the same.
    func release(_ lines: [String], in transaction: borrowing PostgresTransaction) -> PostgresTicket {
        transaction.add(
            waiting.release, [.texts(lines), .int(settings.lease.milliseconds)] + settings.typeParameters)
    }

    /// The same for up to a batch of tasks that wait behind nobody; returns those to send now.
    func mendLines() async throws -> [OutgoingTask] {
        let begin = ContinuousClock.now
        return try await database.query(
            waiting.mend, [.int(settings.batchSize), .int(settings.lease.milliseconds)] + settings.typeParameters
        ).filter { try $0.decode(Bool.self, at: OutgoingTask.columnCount) }
            .map { try OutgoingTask(row: $0, leasedAt: begin, settings) }
    }

    // MARK: Giving up

    /// Up to `limit` tasks of these types that nobody has answered in time, to be dropped.
    func expired(of types: [String], limit: Int) async throws -> [Int64] {
        try await database.query(waiting.expired, [.texts(types), .int(limit)]).map { try $0.decode(Int64.self, at: 0) }
    }

    /// Parks up to `limit` tasks that are to be parked when nobody has answered in time; returns their ids.
    func parkExpired(limit: Int) async throws -> [Int64] {
        try await database.query(waiting.parkExpired, [.int(limit)]).map { try $0.decode(Int64.self, at: 0) }
    }

    /// Archives tasks that nobody has answered; returns those that were still there.
    ///
    /// - Parameters:
    ///   - end: why; as `expired` only those that still are.
    ///   - reason: for people; nil: whatever is to be said of one that has expired.
    ///   - types: of others, nobody here knows what follows.
    func giveUp(
        _ ids: [Int64], as end: TaskEnd, reason: String?, of types: [String],
        in transaction: borrowing PostgresTransaction
    ) throws -> [AnsweredTask] {
        try transaction.query(
            waiting.giveUp, [.int64s(ids), .text(end.rawValue), PostgresValue(reason), .texts(types)]
        ).map { try AnsweredTask(row: $0, end: end) }
    }

    /// Has a task wait for an operator, since what follows from its end cannot be done.
    func park(_ id: Int64, reason: String) async throws {
        _ = try await database.query(waiting.park, [.int64(id), .text(reason)])
    }

    /// The ids of up to `limit` live tasks above `last`, of one status.
    func some(
        _ status: TaskState, of taskType: String?, after last: Int64, limit: Int
    ) async throws -> [Int64] {
        try await database.query(
            waiting.some, [.int64(last), .text(status.rawValue), PostgresValue(taskType), .int(limit)]
        ).map { try $0.decode(Int64.self, at: 0) }
    }

    // MARK: Pauses

    /// The types that are paused.
    public func pauses() async throws -> [TaskPause] {
        try await database.query(waiting.pauses).map(TaskPause.init(row:))
    }

    func pause(_ taskType: String, reason: String?) async throws {
        _ = try await database.query(waiting.pause, [.text(taskType), PostgresValue(reason)])
    }

    /// False when it is not paused.
    func resume(_ taskType: String) async throws -> Bool {
        try await !database.query(waiting.resume, [.text(taskType)]).isEmpty
    }

    /// Makes up to a batch of tasks due whose type was resumed; true when there are no more.
    func unpause() async throws -> Bool {
        let count = try await database.query(waiting.unpause, [.int(settings.batchSize)]).count
        guard count < settings.batchSize else { return false }
        _ = try await database.query(waiting.endResuming)
        return true
    }

    /// Whether a task of that type lives.
    func knows(_ taskType: String) async throws -> Bool {
        try await database.query(waiting.knows, [.text(taskType)])[0].decode(Bool.self, at: 0)
    }
}
