import Logging
import SettleCore
import SettlePostgres

// Mode `mt`: the resource is told first, and the branch ends after it, so that whoever dies in between tells it again.
extension SecondPhase {
    /// What became of the branches over resources.
    struct Told: Sendable {
        /// These may end now.
        var done: Set<BranchKey> = []
        /// All that were looked at; the others of them wait, as their resource is away, or they were tried just now.
        var tried: Set<BranchKey> = []
    }

    /// Tells resources the end of the branches of `xids`.
    func tellResources(_ xids: [XID]) async throws -> Told {
        guard !xids.isEmpty, participant.offers(.mt), participant.actionsCanEnd() else { return Told() }
        let branches = try await BranchStore.resources(xids, in: participant.ending)
        guard branches.contains(where: \.isDue) else { return Told(tried: Set(branches.map(\.key))) }
        try participant.failpoints.reach(
            verdict == .commit ? "branch.beforeCommitResource" : "branch.beforeRollbackResource")
        var told = Told(tried: Set(branches.map(\.key)))
        let due = branches.filter(\.isDue).map(\.branch)
        for (_, group) in Dictionary(grouping: due, by: \.action).sorted(by: { $0.key < $1.key }) {  // ours
            // An action that is not known any more: the branch is left for an operator, as in the other modes.
            guard let handler = participant.handler(group[0]), let resource = handler.resource else { continue }
            // Nobody commits before every part is done; what was never done is undone, and forgotten.
            let isPrepared = { (branch: BranchStore.Branch) in self.verdict == .rollback || branch.answer != nil }
            let (done, failed) = await tell(
                group.filter(isPrepared), handler.name, resource,
                verdict == .commit ? resource.commit : resource.rollback)
            told.done.formUnion(done)
            if !failed.isEmpty { try await note(failed, handler.name) }
            let stray = group.filter { !isPrepared($0) }
            guard !stray.isEmpty else { continue }
            let (undone, stuck) = await tell(stray, handler.name, resource, resource.rollback)
            try await participant.ending.transaction { BranchStore.forget(undone, in: $0) }
            if !stuck.isEmpty { try await note(stuck, handler.name) }
        }
        return told
    }

    /// All at once where the resource takes several; what that fails for, each for itself, in no order, so that one which
    /// always fails holds up no other.
    private func tell(
        _ branches: [BranchStore.Branch], _ action: String, _ resource: ResourceHandler,
        _ end: @escaping ResourceHandler.End
    ) async -> (done: [BranchKey], failed: [(key: BranchKey, error: any Error)]) {
        guard !branches.isEmpty else { return ([], []) }
        let limit = participant.settings.resourceTimeout
        let parts = branches.map { ResourceHandler.Part(xid: $0.xid, branch: $0.id, request: $0.request) }
        if resource.isGroup || parts.count == 1 {
            do {
                try await resource.calls.call(within: limit) { try await end(parts) }
                return (branches.map(\.key), [])
            } catch {
                if parts.count == 1 || error is BoundedCalls.TooLong { return ([], branches.map { ($0.key, error) }) }
            }
        }
        let deadline = ContinuousClock.now + max(limit, .seconds(3))
        let each = await parts.shuffled().concurrently { part -> (BranchKey, (any Error)?) in
            let key = BranchKey(xid: part.xid, branch: part.branch)
            guard ContinuousClock.now < deadline else { return (key, BoundedCalls.TooLong()) }
            do {
                try await resource.calls.call(within: limit) { try await end([part]) }
                return (key, nil)
            } catch { return (key, error) }
        }
        return (
            each.compactMap { $0.1 == nil ? $0.0 : nil }, each.compactMap { key, error in error.map { (key, $0) } }
        )
    }

    private func note(_ failed: [(key: BranchKey, error: any Error)], _ action: String) async throws {
        participant.metrics.resourceFailed(failed.count)
        let error = failed[0].error
        participant.logger.warning(
            "a resource could not be told the end of branches; it is told again",
            metadata: [
                "action": "\(action)", "verdict": "\(verdict)", "xid": "\(failed[0].key.xid)",
                "branches": "\(failed.count)", "error": "\(error)",
            ])
        try await BranchStore.resourceFailed(
            failed.map(\.key), why: "its resource could not be told: \(type(of: error)); the log says more",
            participant.settings.checkBackoff, in: participant.ending)
    }
}

extension BranchStore.Branch {
    var key: BranchKey { BranchKey(xid: xid, branch: id) }
}
