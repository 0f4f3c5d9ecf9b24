import SettleCore
import SettlePostgres
import Synchronization

/// What a participant asks one initiator about.
struct DueBranches: Sendable {
    /// Those whose deadline has passed: asking ends them.
    var overdue: [XID] = []
    /// Those that may still be decided.
    var early: [XID] = []

    var all: [XID] { overdue + early }

    mutating func add(_ xid: XID, isOverdue: Bool) {
        if isOverdue { overdue.append(xid) } else { early.append(xid) }
    }
}

/// The branches of one participant that wait for their decision, in the table and as prepared transactions.
struct UndecidedBranches: ~Copyable, Sendable {
    private let participant: Participant
    private let settings: TransactionSettings
    /// How often each prepared transaction's initiator was asked, and when it is asked next. There is no row for it.
    private let preparedChecks = Mutex<[String: (checks: Int, next: ContinuousClock.Instant)]>([:])  // ours

    init(participant: Participant) {
        self.participant = participant
        settings = participant.settings
    }

    /// What waits, by who decides, as the rows have it: a name, or a base URL in rows of earlier versions.
    struct Survey: Sendable {
        var counts: [String: Int] = [:]  // ours
        var inTable = 0
        var stuck = 0
        /// How long the oldest of them has waited.
        var oldest: Duration = .zero
        var prepared: [PreparedTransactions.Prepared] = []
    }

    /// Looks at all of them.
    func survey() async throws -> Survey {
        var survey = Survey()
        survey.prepared = try await participant.prepared.waiting(longerThan: settings.checkAfter)
        survey.counts = Dictionary(survey.prepared.map { ($0.initiator, 1) }, uniquingKeysWith: +)
        survey.oldest = survey.prepared.first?.age ?? .zero
        for group in try await BranchStore.countUndecided(in: participant.ending) {
            survey.counts[group.initiator, default: 0] += group.count
            survey.inTable += group.count
            survey.stuck += group.stuck
            survey.oldest = max(survey.oldest, group.oldest)
        }
        // Another replica may have ended what this one could not.
        let present = Set(survey.prepared.map(\.xid))
        survey.stuck += participant.unendedPrepared.withLock { unended in
            unended.formIntersection(present)
            return unended.count
        }
        return survey
    }

    /// How many rows are held in mode `at` for transactions of which no branch is undecided.
    func ownerlessRows() async throws -> Int {
        guard participant.offers(.at) else { return 0 }
        return try await participant.ending.query("SELECT settle.at_ownerless()").first?.decode(Int.self, at: 0) ?? 0
    }

    /// Those that are due and whose initiator may be asked now, by its name; they are not due again soon, so that
    /// replicas do not ask about the same ones, but at their deadline.
    ///
    /// - Parameter names: of those who may be asked, by what the rows call them.
    func claim(_ survey: Survey, of names: [String: String]) async throws -> [String: DueBranches] {  // ours
        guard !names.isEmpty else { return [:] }
        var due: [String: DueBranches] = [:]  // ours
        for prepared in claimPrepared(survey.prepared, of: names) {
            guard let name = names[prepared.initiator] else { continue }
            due[name, default: DueBranches()].add(prepared.xid, isOverdue: settings.timeLeft(of: prepared) <= .zero)
        }
        let claimed = try await BranchStore.claim(of: names.keys.sorted(), settings, in: participant.ending)
        for branch in claimed {
            guard let name = names[branch.initiator] else { continue }
            due[name, default: DueBranches()].add(branch.xid, isOverdue: branch.isOverdue)
        }
        return due
    }

    private func claimPrepared(
        _ waiting: [PreparedTransactions.Prepared], of names: [String: String]  // ours
    ) -> [PreparedTransactions.Prepared] {
        let now = ContinuousClock.now
        return preparedChecks.withLock { known in
            let gids = Set(waiting.map(\.gid))
            known = known.filter { gids.contains($0.key) }
            let due = waiting.filter { names[$0.initiator] != nil && known[$0.gid].map { $0.next <= now } ?? true }
                .prefix(settings.batchSize)
            for prepared in due {
                let checks = (known[prepared.gid]?.checks ?? 0) + 1
                let pause = settings.checkBackoff.delay(attempt: checks)
                let left = settings.timeLeft(of: prepared)
                known[prepared.gid] = (checks, now + (left > .zero ? min(pause, left) : pause))
            }
            return Array(due)
        }
    }
}

extension TransactionSettings {
    func timeLeft(of prepared: PreparedTransactions.Prepared) -> Duration {
        (prepared.timeLeft ?? deadline) - prepared.age
    }
}
