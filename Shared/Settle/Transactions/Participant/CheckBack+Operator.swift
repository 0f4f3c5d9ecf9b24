import Logging

/// What an operator may do about a branch whose initiator will never say anything.
extension CheckBack {
    /// Ends the branch of `xid` as an operator says, and records who did and why; the record comes first.
    ///
    /// The initiator is asked once more: what it has decided holds, whatever the operator would rather. Past the deadline,
    /// or with `force`, asking makes it decide, and it aborts what it has not committed. Where it cannot be asked, the
    /// transaction's deadline must have passed, for then it will not commit any more; where configuration does not know
    /// it, nothing need have. `force` goes on while the initiator may still decide: if it decides otherwise later, the two
    /// sides differ, and its log says so.
    ///
    /// The same decision again changes nothing and ends the branch if it has not ended.
    /// - Returns: what is on record; without an `outcome` where the branch could not be ended now.
    /// - Throws: `OperatorDecisionRefusal`, or what the database throws.
    public func decide(
        _ xid: XID, commit: Bool, by operator: String, because reason: String, force: Bool = false
    ) async throws -> OperatorDecision {
        let store = OperatorDecisionStore(database: participant.ending)
        let wanted: Decision = commit ? .commit : .abort
        if try await store.find(xid) == nil {
            let branch = try await openBranch(xid)
            let said = try await lastWord(on: xid, branch, wanted: wanted, force: force)
            try await store.insert(
                xid, wanted, by: `operator`, because: reason, forced: force, initiator: branch.initiator, said: said)
            logger.notice(
                "an operator decides in place of an initiator",
                metadata: [
                    "xid": "\(xid)", "decision": "\(wanted.rawValue)", "operator": "\(`operator`)",
                    "reason": "\(reason)", "initiator": "\(branch.initiator)", "initiatorSaid": "\(said)",
                ])
        }
        guard let known = try await store.find(xid) else { throw OperatorDecisionRefusal.unknown }
        // Of two operators at once, one was first.
        guard known.decision == wanted else { throw OperatorDecisionRefusal.operatorDecidedOtherwise }
        guard known.outcome == nil else { return known }
        let outcomes = try await commit ? participant.commit([xid]) : participant.rollBack([xid])
        guard let outcome = outcomes[xid] else { return known }
        try await store.ended(xid, outcome)
        return try await store.find(xid) ?? known
    }

    /// What operators have decided, the latest first.
    public func operatorDecisions(limit: Int) async throws -> [OperatorDecision] {
        try await OperatorDecisionStore(database: participant.ending).latest(limit)
    }

    private func openBranch(_ xid: XID) async throws -> BranchStore.Owned {
        if let prepared = try await participant.prepared.find([xid]).first {
            let isOverdue = settings.timeLeft(of: prepared) <= .zero
            return BranchStore.Owned(state: nil, initiator: prepared.initiator, isOverdue: isOverdue)
        }
        guard
            let branch = try await BranchStore.owned(xid, standard: settings.deadline, in: participant.ending)
        else {
            throw OperatorDecisionRefusal.unknown
        }
        switch branch.state {
        case .committed: throw OperatorDecisionRefusal.ended(.committed)
        case .rolledBack: throw OperatorDecisionRefusal.ended(.rolledBack)
        case .undecided, nil: return branch
        }
    }

    /// What came of asking the initiator, for the record; throws where that stands in the operator's way.
    private func lastWord(
        on xid: XID, _ branch: BranchStore.Owned, wanted: Decision, force: Bool
    ) async throws -> String {
        guard let name = peers.name(of: branch.initiator) else { return "unresolved" }
        let decision: Decision
        do {
            let onlyRead = !branch.isOverdue && !force
            decision = try await peers.decisions(on: [xid], onlyRead: onlyRead, at: name)[xid] ?? .undecided
        } catch {
            logger.info(
                "an initiator could not be asked before an operator decides",
                metadata: ["xid": "\(xid)", "initiator": "\(name)", "error": "\(error)"])
            guard branch.isOverdue || force else { throw OperatorDecisionRefusal.mayStillDecide }
            return "unreachable"
        }
        guard decision == wanted || decision == .undecided else {
            throw OperatorDecisionRefusal.decidedOtherwise(decision)
        }
        guard decision == wanted || force else { throw OperatorDecisionRefusal.mayStillDecide }
        return decision.rawValue
    }
}
