import SettleCore
public import Logging
public import SettlePostgres
public import ServiceLifecycle

/// Publishes tasks until they are answered.
///
/// What this process has just committed is published as soon as it is committed; what is due in the table is claimed,
/// whoever wrote it. Any number of relays may run on one database.
public final class OutboxRelay: Service {
    /// Where business transactions put their tasks.
    public let outbox: Outbox
    /// What operators and clients ask about tasks.
    public let store: TaskStore
    /// Sign the tasks, and have signed their answers.
    var keys: MessageKeys { relay.keys }

    /// What becomes of tasks that nobody answers.
    let givingUp: GivingUp

    private let relay: Relay<TaskStore>
    private let logger: Logger

    /// - Parameters:
    ///   - settings: how patient it is.
    ///   - database: where `task` and `task_his` are.
    ///   - schema: the one that they are in, where `SettleSchema.tasks(in:)` has put them.
    ///   - publisher: run by the caller, and stopped after this.
    ///   - keys: to sign the tasks with; answers must be signed with them, too.
    ///   - logger: gets a line for all that an operator should know.
    public convenience init(
        settings: TaskSettings = TaskSettings(), database: PostgresDatabase, schema: SchemaName = .public,
        publisher: any MessagePublisher, keys: MessageKeys = .none, logger: Logger
    ) {
        let store = TaskStore(database: database, schema: schema, settings: settings)
        self.init(
            store: store, outbox: Outbox(store: store, logger: logger), publisher: publisher, keys: keys,
            logger: logger)
    }

    /// - Parameter outbox: over the same store.
    init(
        store: TaskStore, outbox: Outbox, publisher: any MessagePublisher, keys: MessageKeys,
        failpoints: Failpoints = .none, logger: Logger
    ) {
        self.store = store
        self.outbox = outbox
        self.logger = logger
        givingUp = GivingUp(store: store, outbox: outbox, logger: logger)
        relay = Relay(
            store: store, committed: outbox.committed, publisher: publisher, keys: keys, failpoints: failpoints,
            logger: logger)
    }

    /// Runs until graceful shutdown; then publishes what has been committed already, and returns.
    public func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { await self.doChores() }
            try await self.relay.run()
            group.cancelAll()
        }
    }

    /// What the relay's looks have found to be done, beside sending; each look finds it again until it is.
    private func doChores() async {
        while true {
            let chores = await relay.chores.take()
            guard !chores.isEmpty else { return }
            do {
                if chores.contains(.expire) { try await givingUp.expire() }
                // A batch for each look: what comes back all at once would only wait in memory.
                if chores.contains(.unpause), try await !store.unpause() { wake() }
                if chores.contains(.mend) {
                    let found = try await store.mendLines()
                    outbox.committed.offer(contentsOf: found)
                    if !found.isEmpty {
                        logger.info("tasks that waited behind nobody are sent", metadata: ["tasks": "\(found.count)"])
                    }
                }
            } catch {
                logger.warning(
                    "tasks that wait could not be looked after; next scan", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Has due tasks looked for now: after a commit that wrote some with `OutboxStatement`. Costs next to nothing, and
    /// several calls at once are one look.
    public func wake() { relay.wake() }

    /// Makes a live task due now, parked or not; false when there is no such live task, or it waits behind another of its
    /// line.
    public func retry(_ id: Int64) async throws -> Bool {
        guard try await store.makeDue(id) else { return false }
        wake()
        return true
    }

    /// Makes all parked tasks due now, or those of one type, in batches; returns how many.
    public func retryParked(of taskType: String? = nil) async throws -> Int {
        var (count, last) = (0, Int64.min)
        while true {
            let ids = try await store.makeParkedDue(of: taskType, after: last, limit: store.settings.batchSize)
            count += ids.count
            if !ids.isEmpty { wake() }
            guard ids.count == store.settings.batchSize, let highest = ids.max() else { return count }
            last = highest
        }
    }

    /// Archives a task that nobody will answer as `discarded`; what follows from its rejection happens. See `TaskEnd`.
    ///
    /// - Parameters:
    ///   - id: the task's.
    ///   - reason: for people; kept with it.
    /// - Returns: false when no such task lives.
    /// - Throws: `NobodyFollows` when this process does not send such tasks; what follows may throw.
    public func discard(_ id: Int64, reason: String) async throws -> Bool {
        if try await givingUp.discard([id], reason: reason) == 1 { return true }
        guard try await store.held(among: [id]).isEmpty else { throw NobodyFollows() }
        return false
    }

    /// The same for live tasks of one status, of one type or of all that this process sends, in batches.
    ///
    /// - Parameters:
    ///   - status: one of those that are live.
    ///   - taskType: nil: all types.
    ///   - reason: for people; kept with each.
    ///   - limit: after so many it stops.
    /// - Returns: how many, and whether there may be more.
    /// - Throws: `NobodyFollows`; what follows may throw.
    public func discard(
        _ status: TaskState, of taskType: String? = nil, reason: String, limit: Int = 10_000
    ) async throws -> (discarded: Int, hasMore: Bool) {
        if let taskType, !givingUp.types.byteKeys.contains(ByteKey(taskType)) { throw NobodyFollows() }
        var (count, looked, last) = (0, 0, Int64.min)
        while looked < limit {
            let batch = min(store.settings.batchSize, limit - looked)
            let ids = try await store.some(status, of: taskType, after: last, limit: batch)
            guard let highest = ids.max() else { return (count, false) }
            (looked, last) = (looked + ids.count, highest)
            count += try await givingUp.discard(ids, reason: reason)
            if ids.count < batch { return (count, false) }
        }
        return (count, true)
    }

    /// Has no task of that type sent any more, by any relay on this database, until `resume`: within about a second, the time
    /// between two looks for due tasks. What the broker has already goes on.
    ///
    /// - Parameters:
    ///   - taskType: of the tasks that are to wait.
    ///   - reason: for people.
    /// - Returns: false when nobody knows such a type: this process does not send it, and no such task lives.
    public func pause(_ taskType: String, reason: String? = nil) async throws -> Bool {
        guard (1...TaskOptions.maxKeyBytes).contains(taskType.utf8.count), !taskType.utf8.contains(0) else {
            return false
        }
        let isSent = givingUp.types.byteKeys.contains(ByteKey(taskType))
        guard try await isSent ? true : store.knows(taskType) else { return false }
        try await store.pause(taskType, reason: reason)
        logger.notice("type of task paused", metadata: ["taskType": "\(taskType)", "reason": "\(reason ?? "")"])
        wake()
        return true
    }

    /// Has tasks of that type sent again, those first that have come due meanwhile; false when it is not paused.
    public func resume(_ taskType: String) async throws -> Bool {
        guard !taskType.utf8.contains(0), try await store.resume(taskType) else { return false }
        logger.notice("type of task resumed", metadata: ["taskType": "\(taskType)"])
        wake()
        return true
    }

    /// Whether this relay knows already that tasks of that type are not to be sent.
    func isPaused(_ taskType: String) -> Bool { relay.isPaused(taskType) }

    /// Called by the finish listener after its commit.
    ///
    /// - Parameter foreign: ids of live tasks that answers named and did not mean.
    func answered(_ tasks: [AnsweredTask], of answers: Int, foreign: [Int64]) {
        relay.answered(tasks, of: answers, foreign: foreign)
    }
}
