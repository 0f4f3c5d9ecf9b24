import SettleCore
public import Foundation
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
        let rows = try await participant.ending.query(
            """
            SELECT initiator, count(*), count(errormsg),
                   (extract(epoch FROM clock_timestamp() - min(created_at)) * 1000)::bigint
            FROM settle.branch WHERE state = 'undecided' GROUP BY initiator
            """)
        for row in rows {
            let count = try row.decode(Int.self, at: 1)
            survey.counts[try row.decode(String.self, at: 0), default: 0] += count
            survey.inTable += count
            survey.stuck += try row.decode(Int.self, at: 2)
            survey.oldest = max(survey.oldest, .milliseconds(try row.decode(Int.self, at: 3)))
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
        let backoff = settings.checkBackoff
        let rows = try await participant.ending.query(
            """
            WITH due AS (
                SELECT xid, now() + least($3, $2 * 2 ^ least(checks, 20)) * (0.75 + random() * 0.5)
                                  * interval '1 millisecond' AS next
                FROM settle.branch
                WHERE state = 'undecided' AND check_time <= now() AND initiator = ANY ($4::text[])
                ORDER BY check_time LIMIT $1 FOR UPDATE SKIP LOCKED)
            UPDATE settle.branch b SET
                checks = checks + 1, check_time = CASE WHEN deadline > now() THEN least(deadline, next) ELSE next END
            FROM due WHERE b.xid = due.xid RETURNING b.xid, b.initiator, deadline > now()
            """,
            [
                .int(settings.batchSize), .int(backoff.initial.milliseconds), .int(backoff.cap.milliseconds),
                .texts(names.keys.sorted()),
            ])
        for row in rows {
            guard let xid = XID(rawValue: try row.decode(String.self, at: 0)),
                let name = names[try row.decode(String.self, at: 1)]
            else { continue }
            let isEarly = try row.decode(Bool?.self, at: 2) ?? false
            due[name, default: DueBranches()].add(xid, isOverdue: !isEarly)
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

/// A branch that waits for its decision, as an operator sees it.
public struct UndecidedBranch: Encodable, Sendable {
    /// The global transaction.
    public let xid: String
    /// How the part was done.
    public let mode: String
    /// `undecided`, or `prepared` in mode `xa`.
    public let state: String
    /// Who decides, as the branch has it.
    public let initiator: String
    /// Whether configuration does not know who that is, so that nobody is asked.
    public internal(set) var unresolved = false
    /// When it was done.
    public let createdAt: Date
    /// Why it could not be ended, if that was tried.
    public let errormsg: String?
}

extension Participant {
    /// The oldest branches that wait for their decision.
    func undecided(limit: Int) async throws -> [UndecidedBranch] {
        let unended = unendedPrepared.withLock { $0 }.map(\.rawValue)
        return try await ending.query(
            """
            SELECT xid, mode, state, initiator, created_at, errormsg FROM settle.branch WHERE state = 'undecided'
            UNION ALL
            SELECT split_part(gid, ':', 2), 'xa', 'prepared', regexp_replace(gid, '^([^:]*:){3}', ''), prepared,
                   CASE WHEN split_part(gid, ':', 2) = ANY ($2::text[]) THEN 'it could not be ended; the log says why' END
            FROM pg_prepared_xacts
            WHERE database = current_database() AND gid LIKE 'settle:%'
            ORDER BY 5 LIMIT $1
            """, [.int(limit), .texts(unended)]
        ).map { row in
            UndecidedBranch(
                xid: try row.decode(String.self, at: 0), mode: try row.decode(String.self, at: 1),
                state: try row.decode(String.self, at: 2), initiator: try row.decode(String.self, at: 3),
                createdAt: try row.decode(Date.self, at: 4), errormsg: try row.decode(String?.self, at: 5))
        }
    }
}

extension CheckBack {
    /// The oldest branches that wait for their decision.
    public func undecided(limit: Int) async throws -> [UndecidedBranch] {
        try await participant.undecided(limit: limit).map { branch in
            var branch = branch
            branch.unresolved = peers.name(of: branch.initiator) == nil
            return branch
        }
    }
}
