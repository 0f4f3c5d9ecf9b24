import Logging
import Postgres

/// Phase 2 at the participant: idempotent, in batches, and whoever asks for it is right: the initiator, or a check-back.
extension Participant {
    /// Makes what was done under `xids` final; unknown ones are taken for long ended.
    public func commit(_ xids: [XID]) async throws -> [XID: BranchOutcome] {
        try await end(xids, commit: true)
    }

    /// Undoes what was done under `xids`; unknown ones are remembered, so that they cannot begin any more.
    ///
    /// Missing from the result: what could not be undone. It waits for an operator, and is tried again.
    public func rollBack(_ xids: [XID]) async throws -> [XID: BranchOutcome] {
        try await end(xids, commit: false)
    }

    private func end(_ xids: [XID], commit: Bool) async throws -> [XID: BranchOutcome] {
        guard !xids.isEmpty else { return [:] }
        // First the prepared ones: once they are gone, their branch rows are visible, or never were.
        for prepared in try await prepared.find(xids) {
            try faults.reach(commit ? "branch.beforeCommitPrepared" : "branch.beforeRollbackPrepared")
            try await self.prepared.end(prepared, commit: commit)
            metrics.ended(1, commit: commit)
        }
        let ended = try await isolating(xids) { try await self.endVisible($0, commit: commit) }
        try faults.reach(commit ? "branch.ended.commit" : "branch.ended.rollback")
        return ended
    }

    /// A batch that fails as a whole is ended one by one, so that one branch that cannot be ended holds up no other.
    private func isolating(
        _ xids: [XID], _ end: ([XID]) async throws -> [XID: BranchOutcome]
    ) async throws -> [XID: BranchOutcome] {
        do {
            return try await end(xids)
        } catch let error as PostgresError where error.kind == .server && !error.isUnavailable && xids.count > 1 {
            logger.warning(
                "a batch of branches could not be ended; one by one",
                metadata: ["transactions": "\(xids.count)", "error": "\(error)"])
            var outcomes: [XID: BranchOutcome] = [:]
            for xid in xids {
                do {
                    outcomes.merge(try await end([xid])) { $1 }
                } catch let error as PostgresError where error.kind == .server && !error.isUnavailable {
                    logger.error("a branch could not be ended", metadata: ["xid": "\(xid)", "error": "\(error)"])
                }
            }
            return outcomes
        }
    }

    private func endVisible(_ xids: [XID], commit: Bool) async throws -> [XID: BranchOutcome] {
        let (branches, stuck) = try await ending.transaction { [self] transaction in
            if !commit { BranchStore.refuseLateBranches(xids, in: transaction) }
            let branches = try BranchStore.lock(xids, in: transaction)
            let open = branches.filter { $0.state.onDecision(commit: commit).acts }
            let stuck = try commit ? [] : undoPlainChanges(of: open, in: transaction)
            let ended = open.filter { !stuck.contains($0.xid) }
            if commit { dropUndo(of: ended, in: transaction) }
            for (handler, requests) in grouped(ended) {
                try (commit ? handler.commit : handler.rollback)?(requests, transaction)
            }
            BranchStore.end(ended.map(\.xid), as: commit ? .committed : .rolledBack, in: transaction)
            try faults.reach(commit ? "branch.duringCommit" : "branch.duringRollback")
            return (branches, stuck)
        }
        return outcomes(of: xids, branches: branches, stuck: stuck, commit: commit)
    }

    private func outcomes(
        of xids: [XID], branches: [BranchStore.Branch], stuck: Set<XID>, commit: Bool
    ) -> [XID: BranchOutcome] {
        let states = Dictionary(branches.map { ($0.xid, $0.state) }, uniquingKeysWith: { $1 })
        var outcomes: [XID: BranchOutcome] = [:]
        var acted = 0
        for xid in xids where !stuck.contains(xid) {
            let (state, acts) = states[xid]?.onDecision(commit: commit) ?? (commit ? .committed : .rolledBack, false)
            outcomes[xid] = state.outcome
            if acts { acted += 1 }
        }
        metrics.ended(acted, commit: commit)
        metrics.stuck(stuck.count)
        for xid in stuck {
            logger.error(
                "a branch cannot be undone: its rows were changed past the guard; an operator must decide",
                metadata: ["xid": "\(xid)"])
        }
        return outcomes
    }

    private func dropUndo(of branches: [BranchStore.Branch], in transaction: borrowing PostgresTransaction) {
        let plain = branches.filter { $0.mode == .at }.map(\.xid.rawValue)
        if !plain.isEmpty { transaction.add("SELECT settle.at_commit($1::text[])", [.texts(plain)]) }
    }

    /// Restores the rows of the `at` branches among `branches`; returns those whose rows are not as they were left.
    private func undoPlainChanges(
        of branches: [BranchStore.Branch], in transaction: borrowing PostgresTransaction
    ) throws -> Set<XID> {
        var stuck: Set<XID> = []
        for branch in branches where branch.mode == .at {
            let rows = try transaction.query("SELECT outcome FROM settle.at_rollback($1)", [.text(branch.xid.rawValue)])
            guard try rows.first?.decode(String.self, at: 0) != "rolledBack" else { continue }
            BranchStore.stuck(branch.xid, why: "rows were changed past the guard", in: transaction)
            stuck.insert(branch.xid)
        }
        return stuck
    }

    private func grouped(_ branches: [BranchStore.Branch]) -> [(handler: BranchHandler, requests: [String])] {
        Dictionary(grouping: branches) { "\($0.mode?.rawValue ?? "") \($0.action)" }.values.compactMap { group in
            handler(group[0]).map { ($0, group.map(\.request)) }
        }
    }
}
