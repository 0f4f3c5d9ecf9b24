package import SettleCore
package import Logging
import SettlePostgres
import SettleRabbitMQ
import ServiceLifecycle
import Synchronization

/// What a scan may find to be done.
package enum RelayChore: Sendable {
    /// Tasks that nobody has answered in time.
    case expire
    /// Tasks of a type that is not paused any more.
    case unpause
    /// Tasks that may wait behind nobody.
    case mend
}

/// A table of messages that come due, as a ``Relay`` sends them.
package protocol RelayStore: Sendable {
    /// How patient its relay is.
    var settings: TaskSettings { get }
    /// Leases up to `limit` due messages to the caller and returns them; parks instead those whose attempts are used up.
    ///
    /// - Parameter reach: how long they may have been due; nil: for ever.
    func claim(limit: Int, reach: Duration?) async throws -> ClaimedTasks
    /// The broker has these; they are sent again later each time. What is not as it was sent any more is left alone.
    func postpone(_ leases: [TaskLease]) async throws
    /// The broker would not take these; the same holds.
    func refused(_ refusals: [Refusal]) async throws
    /// The broker never got these, or never said so: what was counted as an attempt was none.
    func notAttempted(_ ids: [Int64]) async throws
    /// How many wait, and for how long.
    func backlog() async throws -> TaskBacklog
    /// One batch of a purge of what is archived.
    func purge(after key: Int64?, retention: Duration) async throws -> PurgeWalk<Int64>.Step
}

extension RelayStore {
    /// The same, however long they have been due.
    func claim(limit: Int) async throws -> ClaimedTasks { try await claim(limit: limit, reach: nil) }
}

/// Publishes what is in a table until it is answered.
///
/// Two loops: one publishes what this process has just committed, as soon as it is committed; the other claims what is
/// due in the table, whoever wrote it. Any number of relays may run on one database.
package final class Relay<Store: RelayStore>: Service {
    /// What this process has committed, to be published now.
    package let committed: Mailbox<OutgoingTask>
    package let store: Store
    /// Sign what is published.
    let keys: MessageKeys

    private let settings: TaskSettings
    private let publisher: any MessagePublisher
    private let failpoints: Failpoints
    private let logger: Logger
    private let metrics = SenderMetrics()
    private let unanswered = Mutex(UnansweredTasks())
    private let window = Mutex(DueWindow())
    /// Anything in it makes the next scan happen now.
    private let scanSignal = Mailbox<Void>(capacity: 1)
    /// What a scan has found to be done, beside sending.
    package let chores = Mailbox<RelayChore>(capacity: 8)
    /// As the last claim found them.
    private let pausedTypes = Mutex<Set<ByteKey>>([])

    /// - Parameters:
    ///   - committed: where it is handed what was committed; of nobody else.
    ///   - publisher: run by the caller, and stopped after this.
    package init(
        store: Store, committed: Mailbox<OutgoingTask>, publisher: any MessagePublisher, keys: MessageKeys = .none,
        failpoints: Failpoints = .none, logger: Logger
    ) {
        self.store = store
        self.committed = committed
        self.publisher = publisher
        self.keys = keys
        self.failpoints = failpoints
        self.logger = logger
        settings = store.settings
    }

    /// Runs until graceful shutdown; then publishes what has been committed already, and returns.
    package func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask { await self.publishCommitted() }
                group.addTask { await self.scanUntilStopped() }
                group.addTask { await self.tick() }
                if let retention = settings.historyRetention {
                    group.addTask { await self.forgetArchived(longerThan: retention) }
                }
                await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.committed.close()
            self.scanSignal.close()
            self.chores.close()
        }
    }

    /// Has due tasks looked for now: after a commit that handed nothing over. Costs next to nothing, and
    /// several calls at once are one look.
    package func wake() {
        scanSignal.offer(())
    }

    // MARK: What was committed here

    private func publishCommitted() async {
        while true {
            let tasks = await committed.take(atMost: settings.batchSize)
            guard !tasks.isEmpty else { return }
            // Those that waited here for too long are due in the table: sending them as well would only add to the
            // load that made them wait. So are those whose type is paused.
            let began = ContinuousClock.now
            await publish(tasks.filter { $0.leaseEnd > .now && !isPaused($0.message.taskType) })
            await BatchPace.rest(since: began, gathered: committed.count)
        }
    }

    /// Whether the last look found that tasks of that type are not to be sent.
    func isPaused(_ taskType: String) -> Bool {
        pausedTypes.withLock { !$0.isEmpty && $0.contains(ByteKey(taskType)) }
    }

    // MARK: What is due

    private func tick() async {
        await Task.every(settings.scanInterval) { wake() }
    }

    private func scanUntilStopped() async {
        var scans = 0
        // The broker seemed to be there, and took nothing.
        var vain = 0
        var notBefore = ContinuousClock.now
        var counting = CostShare()
        while await !scanSignal.take().isEmpty {
            do {
                let mayClaim = notBefore <= .now
                if try await !publishDue(claiming: mayClaim) {
                    vain += 1
                    notBefore = .now + settings.vainBackoff.delay(attempt: vain)
                } else if mayClaim {
                    vain = 0
                }
                // Then no claim says whether any has; and a time ends without a broker, too.
                if !publisher.takesMessages { chores.offer(.expire) }
                if scans % 5 == 0, counting.allows(at: .now) {
                    let begin = ContinuousClock.now
                    let backlog = try await store.backlog()
                    metrics.backlog(backlog)
                    if backlog.waiting > 0 { chores.offer(.mend) }
                    counting.took(from: begin, to: .now)
                }
            } catch {
                logger.warning("looking for due tasks failed; next scan", metadata: ["error": "\(error)"])
            }
            scans += 1
        }
    }

    /// One batched UPDATE for all tasks whose lease is about to end and that the broker has.
    private func postponeHeld() async throws {
        let now = ContinuousClock.now
        let held = unanswered.withLock { $0.takeEnding(before: now + settings.scanInterval * 2, now: now) }
        if !held.isEmpty { try await store.postpone(held) }
    }

    /// - Returns: false when there was something to send and the broker would not have any of it.
    private func publishDue(claiming mayClaim: Bool) async throws -> Bool {
        // Between any two batches, too: were a long backlog sent in one go, the leases of its first tasks would end on
        // the way, and it would be sent all over again.
        try await postponeHeld()
        // A claim writes each row that it claims; without a broker that takes messages that would be for nothing.
        while mayClaim, publisher.takesMessages, !Task.isCancelled {
            let claimed = try await claim()
            for task in claimed.parked {
                logger.error(
                    "task parked: attempts used up",
                    metadata: task.task.metadata.merging(["errormsg": "\(task.errormsg ?? "no answer")"]) { $1 })
            }
            guard await publish(claimed.tasks) else { return false }
            guard claimed.count == settings.batchSize else { return true }
            try await postponeHeld()
        }
        return true
    }

    private func claim() async throws -> ClaimedTasks {
        let begin = ContinuousClock.now
        let reach = window.withLock { $0.reach(at: begin) }
        let claimed = try await store.claim(limit: settings.batchSize, reach: reach)
        let rest = claimed.count == settings.batchSize ? claimed.upTo : nil
        window.withLock { $0.looked(reach, from: begin, to: .now, upTo: rest) }
        pausedTypes.withLock { $0 = claimed.pausedTypes }
        if claimed.hasExpired { chores.offer(.expire) }
        if claimed.isResuming { chores.offer(.unpause) }
        return claimed
    }

    // MARK: What is archived

    private func forgetArchived(longerThan retention: Duration) async {
        let purge = TaskHistoryPurge(store: store, retention: retention)
        await Task.every(settings.purgeInterval) {
            do {
                _ = try await purge.round()
            } catch {
                logger.warning("forgetting archived tasks failed", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: Publishing

    /// - Returns: false when the broker gave its word on none of them.
    @discardableResult
    private func publish(_ tasks: [OutgoingTask]) async -> Bool {
        guard !tasks.isEmpty else { return true }
        let messages: [OutboundMessage]
        let trace = BatchTrace.sending(tasks)
        defer { trace.end() }
        do {
            messages = try tasks.enumerated().map { try $1.outbound(keys, traceParent: trace.traceParent($0)) }
        } catch {
            // Strings and integers always encode; were it otherwise, the tasks stay due and this line repeats.
            logger.critical("a task cannot be encoded", metadata: ["error": "\(error)"])
            return true
        }
        unanswered.withLock { $0.sending(tasks.map { ($0.lease, $0.leaseEnd) }) }
        metrics.sending(tasks)
        let outcomes = await publisher.publish(messages)
        trace.note(outcomes)
        failpoints.reachCommitted("relay.published")
        var refusals: [Refusal] = []
        // Due again when their lease ends.
        var notAttempted: [Int64] = []
        unanswered.withLock { unanswered in
            for (task, outcome) in zip(tasks, outcomes) {
                metrics.outcome(outcome)
                switch outcome {
                case .confirmed: unanswered.confirmed(task.id)
                case .returned(let code, let text): refusals.append(task.refusal("returned: \(code) \(text)"))
                case .nacked: refusals.append(task.refusal("refused by the broker"))
                case .lost, .notSent: notAttempted.append(task.id)
                }
            }
            unanswered.forget(refusals.map(\.lease.id))
        }
        await record(refusals)
        await record(notAttempted: notAttempted)
        return notAttempted.count < tasks.count
    }

    private func record(_ refusals: [Refusal]) async {
        guard !refusals.isEmpty else { return }
        logger.warning(
            "the broker would not take tasks",
            metadata: [
                "tasks": "\(refusals.count)", "taskId": "\(refusals[0].lease.id)", "reason": "\(refusals[0].reason)",
            ])
        do {
            try await store.refused(refusals)
        } catch {
            // They keep their lease's due time, so they are tried again all the same.
            logger.warning("could not note why tasks were refused", metadata: ["error": "\(error)"])
        }
    }

    private func record(notAttempted ids: [Int64]) async {
        guard !ids.isEmpty else { return }
        do {
            try await store.notAttempted(ids)
        } catch {
            // An attempt too many is counted; no task is lost by it.
            logger.warning("could not note that tasks were not sent", metadata: ["error": "\(error)"])
        }
    }

    /// Called after the commit that archived them.
    ///
    /// - Parameter foreign: ids of live tasks that answers named and did not mean.
    package func answered(_ tasks: [AnsweredTask], of answers: Int, foreign: [Int64] = []) {
        unanswered.withLock { $0.forget(tasks.map(\.id)) }
        metrics.answered(tasks, of: answers)
        guard let first = foreign.first else { return }
        metrics.foreign(foreign.count)
        logger.info(
            "answers to other tasks that have the same ids; ignored",
            metadata: ["answers": "\(foreign.count)", "taskId": "\(first)"])
    }
}

extension OutgoingTask {
    var metadata: Logger.Metadata {
        ["taskId": "\(id)", "taskType": "\(message.taskType)", "businessKey": "\(businessKey)"]
    }

    fileprivate func refusal(_ reason: String) -> Refusal {
        Refusal(lease: lease, attempts: attempts, reason: reason)
    }
}
