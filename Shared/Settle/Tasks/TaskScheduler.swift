import Base
public import Logging
public import Postgres
import RabbitMQ
public import ServiceLifecycle
import Synchronization

/// Publishes tasks until they are answered.
///
/// Two loops: one publishes what this process has just committed, as soon as it is committed; the other claims what is
/// due in the table, whoever wrote it. Any number of schedulers may run on one database.
public final class TaskScheduler: Service {
    /// Where business transactions put their tasks.
    public let outbox: Outbox
    /// What operators and clients ask about tasks.
    public let store: TaskStore

    private let settings: TaskSettings
    private let publisher: any MessagePublisher
    private let logger: Logger
    private let metrics = SenderMetrics()
    private let unanswered = Mutex(UnansweredTasks())
    /// Anything in it makes the next scan happen now.
    private let scanSignal = Mailbox<Void>(capacity: 1)

    /// - Parameters:
    ///   - database: where `task` and `task_his` are.
    ///   - publisher: run by the caller, and stopped after this.
    public init(
        settings: TaskSettings = TaskSettings(), database: PostgresDatabase, publisher: any MessagePublisher,
        logger: Logger
    ) {
        self.settings = settings
        self.publisher = publisher
        self.logger = logger
        outbox = Outbox(settings: settings, logger: logger)
        store = TaskStore(database: database, settings: settings)
    }

    /// Runs until graceful shutdown; then publishes what has been committed already, and returns.
    public func run() async throws {
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
            self.outbox.committed.close()
            self.scanSignal.close()
        }
    }

    /// Makes a live task due now, parked or not; false when there is no such live task.
    public func retry(_ id: Int64) async throws -> Bool {
        guard try await store.makeDue(id) else { return false }
        scanSignal.offer(())
        return true
    }

    // MARK: What was committed here

    private func publishCommitted() async {
        while true {
            let tasks = await outbox.committed.take(atMost: settings.batchSize)
            guard !tasks.isEmpty else { return }
            // Those that waited here for too long are due in the table: sending them as well would only add to the
            // load that made them wait.
            await publish(tasks.filter { $0.leaseEnd > .now })
        }
    }

    // MARK: What is due

    private func tick() async {
        while !Task.isCancelled {
            scanSignal.offer(())
            // Only cancellation ends the sleep early, and then the loop ends.
            try? await Task.sleep(for: settings.scanInterval)
        }
    }

    private func scanUntilStopped() async {
        var scans = 0
        while await !scanSignal.take().isEmpty {
            do {
                try await publishDue()
                if scans % 5 == 0 { metrics.backlog(try await store.backlog()) }
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

    private func publishDue() async throws {
        // Between any two batches, too: were a long backlog sent in one go, the leases of its first tasks would end on
        // the way, and it would be sent all over again.
        try await postponeHeld()
        // Without a broker a claim would only use up attempts.
        while publisher.isUp, !Task.isCancelled {
            let (tasks, parked) = try await store.claim(limit: settings.batchSize)
            for task in parked {
                logger.error(
                    "task parked: attempts used up",
                    metadata: task.task.metadata.merging(["errormsg": "\(task.errormsg ?? "no answer")"]) { $1 })
            }
            await publish(tasks)
            guard tasks.count + parked.count == settings.batchSize else { return }
            try await postponeHeld()
        }
    }

    // MARK: What is archived

    private func forgetArchived(longerThan retention: Duration) async {
        let purge = TaskHistoryPurge(retention: retention, batchSize: settings.batchSize)
        while !Task.isCancelled {
            do {
                _ = try await purge.round(in: store.database)
            } catch {
                logger.warning("forgetting archived tasks failed", metadata: ["error": "\(error)"])
            }
            // As above.
            try? await Task.sleep(for: settings.purgeInterval)
        }
    }

    // MARK: Publishing

    private func publish(_ tasks: [OutgoingTask]) async {
        guard !tasks.isEmpty else { return }
        let messages: [OutboundMessage]
        do {
            messages = try tasks.map { try $0.outbound() }
        } catch {
            // Strings and integers always encode; were it otherwise, the tasks stay due and this line repeats.
            logger.critical("a task cannot be encoded", metadata: ["error": "\(error)"])
            return
        }
        unanswered.withLock { $0.sending(tasks.map { ($0.id, $0.leaseEnd) }) }
        metrics.sending(tasks)
        let outcomes = await publisher.publish(messages)
        var refusals: [Refusal] = []
        unanswered.withLock { unanswered in
            for (task, outcome) in zip(tasks, outcomes) {
                metrics.outcome(outcome)
                switch outcome {
                case .confirmed: unanswered.confirmed(task.id)
                case .returned(let code, let text):
                    refusals.append(Refusal(id: task.id, attempts: task.attempts, reason: "returned: \(code) \(text)"))
                case .nacked:
                    refusals.append(Refusal(id: task.id, attempts: task.attempts, reason: "refused by the broker"))
                case .lost: break  // due again when its lease ends
                }
            }
            unanswered.forget(refusals.map(\.id))
        }
        await record(refusals)
    }

    private func record(_ refusals: [Refusal]) async {
        guard !refusals.isEmpty else { return }
        logger.warning(
            "the broker would not take tasks",
            metadata: ["tasks": "\(refusals.count)", "taskId": "\(refusals[0].id)", "reason": "\(refusals[0].reason)"])
        do {
            try await store.refused(refusals)
        } catch {
            // They keep their lease's due time, so they are tried again all the same.
            logger.warning("could not note why tasks were refused", metadata: ["error": "\(error)"])
        }
    }

    /// Called by the finish listener after its commit.
    func answered(_ tasks: [AnsweredTask], of answers: Int) {
        unanswered.withLock { $0.forget(tasks.map(\.id)) }
        metrics.answered(tasks, of: answers)
    }
}

extension OutgoingTask {
    var metadata: Logger.Metadata {
        ["taskId": "\(id)", "taskType": "\(message.taskType)", "businessKey": "\(businessKey)"]
    }
}
