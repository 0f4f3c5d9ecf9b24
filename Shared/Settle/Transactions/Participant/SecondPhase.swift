import SettleCore
import Foundation
import Logging
import SettlePostgres
import Synchronization

extension Participant {
    /// Makes what was done under `xids` final; unknown ones are taken for long ended.
    ///
    /// Missing from the result: what could not be ended now. It is to be asked for again.
    public func commit(_ xids: [XID]) async throws -> [XID: BranchOutcome] {
        try await SecondPhase(participant: self, verdict: .commit).end(xids)
    }

    /// Undoes what was done under `xids`; unknown ones are remembered, so that they cannot begin any more.
    ///
    /// Missing from the result: what could not be undone. It waits for an operator, and is tried again.
    public func rollBack(_ xids: [XID]) async throws -> [XID: BranchOutcome] {
        try await SecondPhase(participant: self, verdict: .rollback).end(xids)
    }
}

/// The second phase at a participant: idempotent, in batches, and whoever asks for it is right: the initiator, or a
/// check-back.
struct SecondPhase: Sendable {
    let participant: Participant
    let verdict: Verdict

    func end(_ xids: [XID]) async throws -> [XID: BranchOutcome] {
        guard !xids.isEmpty else { return [:] }
        let ended = try await isolating(xids) { xids in
            // First the prepared ones: once they are gone, their branch rows are visible, or never were.
            let left = try await self.endPrepared(xids)
            var open = xids.filter { !left.contains($0) }
            var outcomes: [XID: BranchOutcome] = [:]
            // A branch that came between the word to the resources and the end is found then, and told in the next round.
            for _ in 1...3 where !open.isEmpty {
                let told = try await self.tellResources(open)
                let ended = try await self.endVisible(open, told)
                outcomes.merge(ended.outcomes) { $1 }
                open = ended.untold
            }
            return outcomes
        }
        participant.waiting.ended(ended.keys)
        try participant.failpoints.reach(verdict == .commit ? "branch.ended.commit" : "branch.ended.rollback")
        return ended
    }

    /// Ends the prepared transactions of `xids`, some at once: each is a commit of its own that reaches the disk, and
    /// PostgreSQL writes those together that come together. Returns those that could not be ended.
    private func endPrepared(_ xids: [XID]) async throws -> Set<XID> {
        let waiting = try await participant.prepared.find(xids)
        return try await withThrowingTaskGroup(of: XID?.self) { group in
            var left: Set<XID> = []
            for (index, prepared) in waiting.enumerated() {
                try participant.failpoints.reach(
                    verdict == .commit ? "branch.beforeCommitPrepared" : "branch.beforeRollbackPrepared")
                if index >= 4, let unended = try await group.next() ?? nil { left.insert(unended) }
                group.addTask { try await self.endPrepared(prepared) ? nil : prepared.xid }
            }
            for try await unended in group { if let unended { left.insert(unended) } }
            return left
        }
    }

    private func endPrepared(_ prepared: PreparedTransactions.Prepared) async throws -> Bool {
        do {
            if try await participant.prepared.end(prepared, verdict: verdict) {
                participant.metrics.ended(1, verdict: verdict)
            }
            participant.unendedPrepared.withLock { _ = $0.remove(prepared.xid) }
            return true
        } catch let error as PostgresError where error.kind == .server && !error.isUnavailable {
            participant.logger.error(
                "a prepared transaction could not be ended; it is tried again",
                metadata: ["xid": "\(prepared.xid)", "error": "\(error)"])
            participant.unendedPrepared.withLock { _ = $0.insert(prepared.xid) }
            return false
        }
    }

    /// A batch that fails as a whole is ended one by one, so that one branch that cannot be ended holds up no other.
    ///
    /// What another transaction holds is waited for a little. Not for long: that one's own end may be the next in line.
    private func isolating(
        _ xids: [XID], _ end: ([XID]) async throws -> [XID: BranchOutcome]
    ) async throws -> [XID: BranchOutcome] {
        let backoff = Backoff(initial: .milliseconds(4), cap: .milliseconds(20))
        tries: for attempt in 1...4 {
            let begin = ContinuousClock.now
            do {
                return try await end(xids)
            } catch {
                switch Obstacle(error, after: .now - begin, limit: participant.settings.endTimeout) {
                case .outage: throw error
                case .rowHeld: try await Task.sleep(for: backoff.delay(attempt: attempt))
                case .branch: break tries
                }
            }
        }
        var outcomes: [XID: BranchOutcome] = [:]
        // Who asked does not wait for longer either, and asks again for what is missing.
        let deadline = ContinuousClock.now + .seconds(3)
        for xid in xids where ContinuousClock.now < deadline {
            let begin = ContinuousClock.now
            do {
                outcomes.merge(try await end([xid])) { $1 }
            } catch {
                let obstacle = Obstacle(error, after: .now - begin, limit: participant.settings.endTimeout)
                if obstacle == .outage { throw error }
                try await report(xid, obstacle, error)
            }
        }
        return outcomes
    }

    /// A row that is held for a moment is nothing to speak of; whatever lasts, an operator must see.
    private func report(_ xid: XID, _ obstacle: Obstacle, _ error: any Error) async throws {
        var isError = true
        if obstacle == .rowHeld {
            isError = try await BranchStore.isLate(
                xid, why: "another transaction holds what it needs", in: participant.ending)
        } else {
            try await BranchStore.stuck(xid, why: "it could not be ended; the log says why", in: participant.ending)
        }
        participant.logger.log(
            level: isError ? .error : .info, "a branch could not be ended; it is tried again",
            metadata: ["xid": "\(xid)", "error": "\(error)"])
    }

    /// - Returns: `untold`: those with branches whose resources were not even tried.
    private func endVisible(
        _ xids: [XID], _ told: Told
    ) async throws -> (outcomes: [XID: BranchOutcome], untold: [XID]) {
        let (branches, stuck, waiting, untold) = try await participant.ending.transaction { [self] transaction in
            // What is in the way may be a transaction that was prepared just now, and then waiting is in vain: looked for
            // again, it is found among the prepared ones.
            // The undo of many rows takes its time, whatever limit the connection has for others.
            transaction.add(
                "SELECT set_config('lock_timeout', '250ms', true), set_config('statement_timeout', $1, true)",
                [.text("\(participant.settings.endTimeout.milliseconds)ms")])
            if verdict == .rollback { BranchStore.refuseLateBranches(xids, in: transaction) }
            let branches = try BranchStore.lock(xids, in: transaction)
            let due = branches.filter { Optional($0.state).onDecision(verdict).acts }
            let canEnd = participant.actionsCanEnd()
            let open = due.filter { canEnd || !$0.needsHandler }
            // The branches of a transaction end together: one that cannot keeps the others.
            var stuck = leaveUnknownActions(of: open, in: transaction)
            if verdict == .rollback {
                try stuck.formUnion(undoPlainChanges(of: open.filter { !stuck.contains($0.xid) }, in: transaction))
            }
            let isUntold = { (branch: BranchStore.Branch) in branch.mode == .mt && !told.done.contains(branch.key) }
            let untold = open.filter { isUntold($0) && !stuck.contains($0.xid) }
            let held = Set(untold.map(\.xid))
            // Of a transaction with one that its resource does not know of yet, the others need not wait.
            let ended = open.filter { !stuck.contains($0.xid) && !($0.mode == .mt && held.contains($0.xid)) }
            if verdict == .commit { dropUndo(of: ended, in: transaction) }
            for (handler, requests) in grouped(ended) {
                try (verdict == .commit ? handler.commit : handler.rollback)?(requests, transaction)
            }
            BranchStore.end(
                ended.map(\.xid).uniqued, as: verdict == .commit ? .committed : .rolledBack, all: canEnd,
                untold: held, in: transaction)
            try participant.failpoints.reach(verdict == .commit ? "branch.duringCommit" : "branch.duringRollback")
            return (branches, stuck, canEnd ? [] : Set(due.filter(\.needsHandler).map(\.xid)), untold.map(\.key))
        }
        let held = Set(untold.map(\.xid))
        return (
            outcomes(
                of: xids.filter { !waiting.contains($0) && !held.contains($0) }, branches: branches, stuck: stuck),
            Set(untold.filter { !told.tried.contains($0) }.map(\.xid)).sorted { $0.rawValue < $1.rawValue }
        )
    }

    private func outcomes(
        of xids: [XID], branches: [BranchStore.Branch], stuck: Set<XID>
    ) -> [XID: BranchOutcome] {
        let states = Dictionary(grouping: branches, by: \.xid).mapValues { $0.map(\.state) }  // ours
        var outcomes: [XID: BranchOutcome] = [:]
        var acted = 0
        for xid in xids where !stuck.contains(xid) {
            let states = states[xid] ?? []
            outcomes[xid] = states.outcome(of: verdict)
            acted += states.count { Optional($0).onDecision(verdict).acts }
            if verdict == .commit, states.isEmpty { noteUnknown(xid) }
        }
        participant.metrics.ended(acted, verdict: verdict)
        for xid in stuck {
            participant.logger.error("a branch cannot be ended; an operator must decide", metadata: ["xid": "\(xid)"])
        }
        return outcomes
    }

    /// Nobody commits before every part is done, and a part is remembered for the time of retention: its branch was lost,
    /// in a failover perhaps. The answer stays what it is for one that ended long ago.
    private func noteUnknown(_ xid: XID) {
        if let age = xid.createdAt?.timeIntervalSinceNow, .seconds(-age) > participant.settings.retention { return }
        participant.metrics.committedUnknown()
        participant.logger.error(
            "told to commit what no branch here knows: a branch may be lost", metadata: ["xid": "\(xid)"])
    }

    private func dropUndo(of branches: [BranchStore.Branch], in transaction: borrowing PostgresTransaction) {
        let plain = branches.filter { $0.mode == .at }.map(\.xid).uniqued.map(\.rawValue)
        if !plain.isEmpty { transaction.add("SELECT settle.at_commit($1::text[])", [.texts(plain)]) }
    }

    /// Restores the rows of the `at` branches among `branches`, those of all branches of a transaction at once, newest first;
    /// returns the transactions whose rows are not as they were left.
    private func undoPlainChanges(
        of branches: [BranchStore.Branch], in transaction: borrowing PostgresTransaction
    ) throws -> Set<XID> {
        var stuck: Set<XID> = []
        for xid in branches.filter({ $0.mode == .at }).map(\.xid).uniqued {
            let rows = try transaction.query("SELECT outcome FROM settle.at_rollback($1)", [.text(xid.rawValue)])
            guard try rows.first?.decode(String.self, at: 0) != "rolledBack" else { continue }
            BranchStore.stuck(xid, why: "settle.at_dirty() says what is in the way", in: transaction)
            stuck.insert(xid)
        }
        return stuck
    }

    /// Branches of actions that this participant does not have any more stay as they are; returns their transactions.
    private func leaveUnknownActions(
        of branches: [BranchStore.Branch], in transaction: borrowing PostgresTransaction
    ) -> Set<XID> {
        var stuck: Set<XID> = []
        for branch in branches where branch.needsHandler && participant.handler(branch) == nil {
            BranchStore.stuck(branch.xid, why: "its action is not known any more", in: transaction)
            stuck.insert(branch.xid)
        }
        return stuck
    }

    /// In a fixed order, so that two batches change the same rows in the same order.
    private func grouped(_ branches: [BranchStore.Branch]) -> [(handler: BranchHandler, requests: [String])] {
        Dictionary(grouping: branches) { "\($0.action) \($0.mode?.rawValue ?? "")" }.sorted { $0.key < $1.key }  // ours
            .compactMap { _, group in participant.handler(group[0]).map { ($0, group.map(\.request)) } }
    }
}

extension BranchStore.Branch {
    /// Whether its action ends it, and not its mode alone.
    fileprivate var needsHandler: Bool { mode == .tcc || mode == .saga || mode == .mt }
}

extension Sequence where Element: Hashable {
    /// Each once, in order.
    fileprivate var uniqued: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}

/// Why branches could not be ended.
private enum Obstacle {
    /// The database is away, or this process is stopping: nothing to do with the branches.
    case outage
    /// Somebody else's transaction is in the way.
    case rowHeld
    /// A branch itself: what its action does failed, or cannot be read.
    case branch

    /// - Parameters:
    ///   - time: how long the attempt took.
    ///   - limit: of a statement. Where that was reached it was no lock: those are waited for far more shortly.
    init(_ error: any Error, after time: Duration, limit: Duration) {
        switch error {
        case let error as PostgresError where error.isUnavailable: self = .outage
        case let error as PostgresError where error.sqlState == "57014" && time >= limit: self = .branch
        case let error as PostgresError where error.isRowHeld || error.isSerializationConflict: self = .rowHeld
        case is CancellationError: self = .outage
        default: self = .branch
        }
    }
}
