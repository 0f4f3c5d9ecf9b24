import SettleCore
import Logging
import ServiceLifecycle
import Synchronization

/// Tells participants what was decided: soon after the decision in batches, and again until they have confirmed.
///
/// Each participant has a line of its own, so that one which is away or slow holds up no other: the others hold rows.
final class PhaseTwo: Sendable {
    private static let backoff = Backoff(initial: .milliseconds(20), cap: .seconds(1))
    /// How long a batch may be on its way before the next goes beside it.
    private static let patience: Duration = .milliseconds(20)
    private let store: DecisionStore
    private let peers: any ParticipantPeers
    private let settings: TransactionSettings
    private let failpoints: Failpoints
    private let logger: Logger
    private let metrics = InitiatorMetrics()
    /// A decision that finds no room here is found by the scan when its lease ends.
    private let fresh = Mailbox<FreshDecision>(capacity: 20_000)
    private let lines = Mutex<[String: ParticipantLine<FreshDecision>]>([:])  // ours
    private let rollbacks = Mutex<[String: Batcher<XID, Void>]>([:])  // ours
    private let isStopping = Atomic(false)

    init(
        store: DecisionStore, peers: any ParticipantPeers, settings: TransactionSettings, failpoints: Failpoints,
        logger: Logger
    ) {
        self.store = store
        self.peers = peers
        self.settings = settings
        self.failpoints = failpoints
        self.logger = logger
    }

    /// A participant's name as configuration has it.
    @Sendable
    func name(of peer: String) -> String? { peers.name(of: peer) }

    func run() async {
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask { await self.tellFresh() }
                group.addTask { await self.scan() }
                group.addTask { await self.keepHouse() }
                await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.isStopping.store(true, ordering: .releasing)
            self.fresh.close()
        }
    }

    // MARK: Commits of this process

    /// Hands over decisions that are durable. Called on a database thread: it only puts them in line.
    func committed(_ transactions: [GlobalTransaction]) {
        metrics.committed(transactions.count)
        let leaseEnd = ContinuousClock.now + settings.lease
        fresh.offer(contentsOf: transactions.map { FreshDecision($0, leaseEnd: leaseEnd) })
    }

    private func tellFresh() async {
        await withDiscardingTaskGroup { group in
            while true {
                let batch = await fresh.take(atMost: settings.batchSize)
                guard !batch.isEmpty else { break }
                for participant in Set(batch.flatMap(\.participants)) {
                    let its = batch.filter { $0.participants.contains(participant) }
                    switch lines.withLock({ $0[participant, default: ParticipantLine(capacity: 20_000)].add(its) }) {
                    case .lane?: group.addTask { await self.emptyLine(of: participant) }
                    case .standby?: group.addTask { await self.standBy(at: participant) }
                    case nil: break
                    }
                }
            }
            // Stopping: what is on its way may arrive, for a moment.
            let deadline = ContinuousClock.now + .seconds(2)
            while !lines.withLock({ $0.values.allSatisfy(\.isIdle) }), ContinuousClock.now < deadline, !Task.isCancelled
            {
                // Cancellation ends the wait too.
                try? await Task.sleep(for: .milliseconds(10))
            }
            group.cancelAll()
        }
    }

    /// Batch after batch, until none is left.
    private func emptyLine(of participant: String) async {
        var failures = 0
        while let batch = lines.withLock({ $0[participant]?.next(atMost: settings.batchSize) }) {
            let began = ContinuousClock.now
            await tell(batch, inLineOf: participant, &failures)
            // Where others wait for rows, what comes next is told at once.
            guard !batch.contains(where: \.holdsRows) else { continue }
            await BatchPace.rest(since: began, gathered: lines.withLock { $0[participant]?.count ?? 0 })
        }
    }

    /// Takes a batch beside one that is on its way for long.
    private func standBy(at participant: String) async {
        var failures = 0
        var seen: Int?
        while !Task.isCancelled {
            switch lines.withLock({ $0[participant]?.beside(seen, atMost: settings.batchSize) ?? .done }) {
            case .done: return
            case .wait(let taken):
                seen = taken
                // Cancellation ends the wait, and all of this.
                try? await Task.sleep(for: Self.patience)
            case .batch(let batch): await tell(batch, inLineOf: participant, &failures)
            }
        }
    }

    /// What is not confirmed goes back in line until its lease ends; then it is the scan's.
    ///
    /// - Parameter failures: how many batches the participant has failed in a row, after which the next one waits.
    private func tell(_ batch: [FreshDecision], inLineOf participant: String, _ failures: inout Int) async {
        let its = batch.filter { $0.leaseEnd > .now }
        guard !its.isEmpty, !Task.isCancelled else { return }
        let trace = BatchTrace("commit at \(participant)", of: its.map(\.context)) {
            .branch(its[$0].xid, at: participant)
        }
        let confirmed = await trace.run { await commit(its.map(\.xid), at: participant) }
        trace.end()
        await acknowledge(its.filter { confirmed.contains($0.xid) && $0.confirmed() }.map(\.xid))
        let left = its.filter { !confirmed.contains($0.xid) }
        guard !left.isEmpty, !isStopping.load(ordering: .acquiring) else { return }
        lines.withLock { $0[participant]?.putBack(left) }
        failures = confirmed.isEmpty ? failures + 1 : 0
        // Cancellation ends the wait, and then nothing more is told.
        if failures > 0 { try? await Task.sleep(for: Self.backoff.delay(attempt: failures)) }
    }

    // MARK: Commits of anybody

    private func scan() async {
        await Task.every(settings.scanInterval) {
            do {
                while true {
                    let batch = try await store.claim()
                    if !batch.isEmpty {
                        metrics.toldAgain(batch.count)
                        await tell(batch)
                    }
                    guard batch.count == settings.batchSize else { break }
                }
            } catch {
                logger.warning("looking for unfinished decisions failed", metadata: ["error": "\(error)"])
            }
        }
    }

    /// What is done now and then: forgets what ended long ago, and counts what nobody can be told.
    private func keepHouse() async {
        let purge = DecisionStore.purge(settings)
        await Task.every(settings.purgeInterval) {
            do {
                _ = try await purge.round(in: store.database)
                let unknown = try await store.unacknowledged().filter { peers.name(of: $0.key) == nil }
                metrics.unresolved(unknown.values.reduce(0, +))
                for (participant, count) in unknown {
                    logger.error(
                        "decisions wait for a participant that configuration does not know",
                        metadata: ["participant": "\(participant)", "transactions": "\(count)"])
                }
            } catch {
                logger.warning("forgetting old decisions failed", metadata: ["error": "\(error)"])
            }
        }
    }

    private func tell(_ batch: [DecisionStore.Unacknowledged]) async {
        let confirmed = await withTaskGroup { group in
            // One that configuration does not know is not told: nobody else may have the address now, and the token.
            for participant in Set(batch.flatMap(\.participants)) where peers.name(of: participant) != nil {
                let xids = batch.filter { $0.participants.contains(participant) }.map(\.xid)
                group.addTask { (participant, await self.commit(xids, at: participant)) }
            }
            return await group.reduce(into: [String: Set<XID>]()) { $0[$1.0] = $1.1 }  // ours
        }
        let done = batch.filter { entry in
            entry.participants.allSatisfy { confirmed[$0]?.contains(entry.xid) ?? false }
        }
        await acknowledge(done.map(\.xid))
    }

    // MARK: Telling

    /// Those of `xids` that the participant has confirmed.
    private func commit(_ xids: [XID], at participant: String) async -> Set<XID> {
        do {
            try failpoints.reach("initiator.beforeCommitRequest")
            let outcomes = try await peers.end(xids, verdict: .commit, at: participant)
            for (xid, outcome) in outcomes where outcome == .rolledBack {
                logger.critical(
                    "a participant rolled back what was committed",
                    metadata: ["xid": "\(xid)", "participant": "\(participant)"])
            }
            return Set(outcomes.filter { $0.value == .committed }.keys)
        } catch {
            logger.warning(
                "a participant could not be told to commit; trying again",
                metadata: [
                    "participant": "\(participant)", "xid": "\(xids[0])", "transactions": "\(xids.count)",
                    "error": "\(error)",
                ])
            return []
        }
    }

    private func acknowledge(_ xids: [XID]) async {
        guard !xids.isEmpty else { return }
        do {
            try failpoints.reach("initiator.confirmed")
            try await store.acknowledge(xids)
            metrics.acknowledged(xids.count)
        } catch {
            logger.warning(
                "could not note that decisions are carried out; they will be told again",
                metadata: ["transactions": "\(xids.count)", "error": "\(error)"])
        }
    }

    /// Has every participant undo its part; returns when they have, or after `rollbackWait`.
    func rollBack(_ transaction: GlobalTransaction) async {
        let participants = transaction.participants
        guard !participants.isEmpty else { return }
        metrics.rolledBack()
        let ended = Wakeup()
        // Not a child of the caller's task: a client that goes away does not keep the others' rows held.
        Task { [self] in
            await withTaskGroup { group in
                for participant in participants {
                    group.addTask { await self.rollBack(transaction.xid, at: participant) }
                }
                // Whoever is not known here will ask, and need not wait for the deadline then.
                if transaction.caller.mayBeIncomplete {
                    group.addTask { await self.store.noteAborted([transaction.xid], self.logger) }
                }
            }
            ended.call()
        }
        await ended.wait(atMost: settings.rollbackWait)
    }

    /// The batch reports its own failures; there may be too many that wait for one.
    private func rollBack(_ xid: XID, at participant: String) async {
        do {
            try await rollbacks(at: participant).submit(xid)
        } catch {
            logger.warning(
                "a participant could not be told to roll back; it will ask",
                metadata: ["participant": "\(participant)", "xid": "\(xid)", "error": "\(error)"])
            await store.noteAborted([xid], logger)
        }
    }

    private func rollbacks(at participant: String) -> Batcher<XID, Void> {
        rollbacks.withLock { batchers in
            if let known = batchers[participant] { return known }
            let batcher = Batcher<XID, Void>(
                limit: settings.batchSize, concurrency: 4, span: "roll back at \(participant)"
            ) { [store, peers, logger] xids in
                var left = xids
                do {
                    let outcomes = try await peers.end(xids, verdict: .rollback, at: participant)
                    left = xids.filter { outcomes[$0] == nil }
                    for (xid, outcome) in outcomes where outcome == .committed {
                        logger.critical(
                            "a participant committed what was aborted",
                            metadata: ["xid": "\(xid)", "participant": "\(participant)"])
                    }
                } catch {
                    logger.warning(
                        "a participant could not be told to roll back; it will ask",
                        metadata: [
                            "participant": "\(participant)", "xid": "\(xids[0])", "transactions": "\(xids.count)",
                            "error": "\(error)",
                        ])
                }
                await store.noteAborted(left, logger)
                return xids.map { _ in }
            }
            batchers[participant] = batcher
            return batcher
        }
    }
}
