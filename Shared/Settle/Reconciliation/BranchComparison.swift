import Foundation
import SettlePostgres

/// Ends the branches that participants have held undecided for too long, as this initiator has decided. What it knows
/// nothing of is aborted: no row means abort.
struct BranchComparison: Sendable {
    let run: ReconciliationRun
    let branches: Reconciler.Branches
    let before: Date

    func compare() async throws {
        for participant in branches.audit.participants {
            await run.trying("the branches of \(participant)") { try await compare(at: participant) }
        }
    }

    private func compare(at participant: String) async throws {
        let first = Set(try await old(at: participant))
        guard !first.isEmpty else { return }
        try await Task.sleep(for: run.settings.secondLook)
        let waiting = try await old(at: participant).filter(first.contains)
        guard !waiting.isEmpty else { return }
        let decisions = try await branches.initiator.decisions(on: waiting.map(\.xid), onlyRead: !run.repairs)
        var ended: Set<XID> = []
        if run.repairs {
            for verdict in [Verdict.commit, .rollback] {
                let xids = waiting.map(\.xid).filter { decisions[$0]?.verdict == verdict }
                guard !xids.isEmpty else { continue }
                let outcomes = await run.trying("the branches of \(participant)") {
                    try await branches.peers.end(xids, verdict: verdict, at: participant)
                }
                ended.formUnion((outcomes ?? [:]).keys)
            }
        }
        let findings = waiting.map { branch in
            let decision = decisions[branch.xid]?.rawValue ?? Decision.undecided.rawValue
            var finding = ReconciliationFinding(
                kind: "branch", key: branch.xid.rawValue, book: participant,
                detail: "a branch in mode \(branch.mode) waits since \(branch.createdAt.formatted(.iso8601)); decided: "
                    + decision + (branch.errormsg.map { "; \($0)" } ?? ""))
            finding.repaired = ended.contains(branch.xid)
            return finding
        }
        try await note(findings.filter(\.repaired))
        await run.report(findings)
    }

    private func old(at participant: String) async throws -> [AuditedBranch] {
        try await branches.audit.undecidedBranches(at: participant).filter { $0.createdAt < before }
    }

    private func note(_ findings: [ReconciliationFinding]) async throws {
        guard !findings.isEmpty else { return }
        try await run.store.database.transaction { [store = run.store] transaction in
            store.add(
                findings.map {
                    ReconciliationStore.Repair(
                        kind: $0.kind, key: $0.subject, before: $0.detail, after: "ended as decided",
                        reason: "reconciliation")
                }, in: transaction)
        }
    }
}
