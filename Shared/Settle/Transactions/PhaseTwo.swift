import Base
import Logging
import ServiceLifecycle
import Synchronization

/// Tells participants what was decided: soon after the decision in batches, and again until they have confirmed.
final class PhaseTwo: Sendable {
    private struct Rollback: Sendable {
        let xid: XID
        let participant: String
    }

    private let store: DecisionStore
    private let peers: any ParticipantPeers
    private let settings: TransactionSettings
    private let faults: Faults
    private let logger: Logger
    private let metrics = InitiatorMetrics()
    private let fresh: Mailbox<DecisionStore.Unacknowledged>
    private let rollbacks: Batcher<Rollback, Void>

    init(
        store: DecisionStore, peers: any ParticipantPeers, settings: TransactionSettings, faults: Faults,
        logger: Logger
    ) {
        self.store = store
        self.peers = peers
        self.settings = settings
        self.faults = faults
        self.logger = logger
        // A decision that finds no room here is found by the scan when its lease ends.
        fresh = Mailbox(capacity: 20_000)
        rollbacks = Batcher(limit: settings.batchSize, lanes: 4) { batch in
            await withTaskGroup { group in
                for (participant, entries) in Dictionary(grouping: batch, by: \.participant) {
                    group.addTask {
                        do {
                            _ = try await peers.end(entries.map(\.xid), commit: false, at: participant)
                        } catch {
                            logger.warning(
                                "a participant could not be told to roll back; it will ask",
                                metadata: [
                                    "participant": "\(participant)", "xid": "\(entries[0].xid)",
                                    "transactions": "\(entries.count)", "error": "\(error)",
                                ])
                        }
                    }
                }
            }
            return batch.map { _ in }
        }
    }

    /// Hands over decisions that are durable. Called on a database thread: it only puts them in line.
    func committed(_ transactions: [GlobalTransaction]) {
        metrics.committed(transactions.count)
        fresh.offer(
            contentsOf: transactions.map {
                DecisionStore.Unacknowledged(xid: $0.xid, participants: $0.participants)
            })
    }

    /// Has every participant undo its part; returns when they have, or after `rollbackWait`.
    func rollBack(_ transaction: GlobalTransaction) async {
        metrics.rolledBack()
        // Not a child of the caller's task: a client that goes away does not keep the others' rows held.
        let all = Task { [rollbacks] in
            await withTaskGroup { group in
                for participant in transaction.participants {
                    group.addTask {
                        // The batch reports its own failures and never throws.
                        try? await rollbacks.submit(Rollback(xid: transaction.xid, participant: participant))
                    }
                }
            }
        }
        await withTaskGroup { [settings] group in
            group.addTask { await all.value }
            group.addTask { try? await Task.sleep(for: settings.rollbackWait) }  // cancelled when all is done
            await group.next()
            group.cancelAll()
        }
    }

    func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask { await self.tellFresh() }
                group.addTask { await self.scan() }
                await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.fresh.close()
        }
    }

    private func tellFresh() async {
        while true {
            let batch = await fresh.take(atMost: settings.batchSize)
            guard !batch.isEmpty else { return }
            await tell(batch)
        }
    }

    private func scan() async {
        var scans = 0
        while !Task.isCancelled {
            do {
                while true {
                    let batch = try await store.claim()
                    if !batch.isEmpty { await tell(batch) }
                    guard batch.count == settings.batchSize else { break }
                }
                scans += 1
                if scans % 60 == 0 { _ = try await store.purge() }
            } catch {
                logger.warning("looking for unfinished decisions failed", metadata: ["error": "\(error)"])
            }
            // Only cancellation ends the sleep early, and then the loop ends.
            try? await Task.sleep(for: settings.scanInterval)
        }
    }

    /// What is not confirmed now is left to the scan.
    private func tell(_ batch: [DecisionStore.Unacknowledged]) async {
        var xids: [String: [XID]] = [:]
        for entry in batch {
            for participant in entry.participants { xids[participant, default: []].append(entry.xid) }
        }
        let confirmed = await withTaskGroup { group in
            for (participant, xids) in xids {
                group.addTask { (participant, await self.commit(xids, at: participant)) }
            }
            return await group.reduce(into: [String: Set<XID>]()) { $0[$1.0] = $1.1 }
        }
        let done = batch.filter { entry in
            entry.participants.allSatisfy { confirmed[$0]?.contains(entry.xid) ?? false }
        }
        guard !done.isEmpty else { return }
        do {
            try faults.reach("initiator.confirmed")
            try await store.acknowledge(done.map(\.xid))
            metrics.acknowledged(done.count)
        } catch {
            logger.warning(
                "could not note that decisions are carried out; they will be told again",
                metadata: ["transactions": "\(done.count)", "error": "\(error)"])
        }
    }

    private func commit(_ xids: [XID], at participant: String) async -> Set<XID> {
        do {
            try faults.reach("initiator.beforeCommitRequest")
            let outcomes = try await peers.end(xids, commit: true, at: participant)
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
}
