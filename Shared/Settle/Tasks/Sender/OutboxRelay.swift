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

    private let relay: Relay<TaskStore>

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
        relay = Relay(
            store: store, committed: outbox.committed, publisher: publisher, keys: keys, failpoints: failpoints,
            logger: logger)
    }

    /// Runs until graceful shutdown; then publishes what has been committed already, and returns.
    public func run() async throws { try await relay.run() }

    /// Has due tasks looked for now: after a commit that wrote some with `OutboxStatement`. Costs next to nothing, and
    /// several calls at once are one look.
    public func wake() { relay.wake() }

    /// Makes a live task due now, parked or not; false when there is no such live task.
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

    /// Called by the finish listener after its commit.
    ///
    /// - Parameter foreign: ids of live tasks that answers named and did not mean.
    func answered(_ tasks: [AnsweredTask], of answers: Int, foreign: [Int64]) {
        relay.answered(tasks, of: answers, foreign: foreign)
    }
}
