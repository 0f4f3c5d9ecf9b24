import Base
public import Foundation
import Postgres
import Synchronization

/// The branches of one participant that wait for their decision, in the table and as prepared transactions.
struct UndecidedBranches: ~Copyable, Sendable {
    private let participant: Participant
    private let settings: TransactionSettings
    /// How often each prepared transaction's initiator was asked, and when it is asked next. There is no row for it.
    private let preparedChecks = Mutex<[String: (checks: Int, next: ContinuousClock.Instant)]>([:])

    init(participant: Participant) {
        self.participant = participant
        settings = participant.settings
    }

    /// What waits, by who decides, as the rows have it: a name, or a base URL in rows of earlier versions.
    struct Survey: Sendable {
        var counts: [String: Int] = [:]
        var inTable = 0
        var stuck = 0
        /// Seconds.
        var oldest = 0.0
        var prepared: [PreparedTransactions.Prepared] = []
    }

    /// Looks at all of them.
    func survey() async throws -> Survey {
        var survey = Survey()
        survey.prepared = try await participant.prepared.waiting(longerThan: settings.checkAfter)
        survey.counts = Dictionary(survey.prepared.map { ($0.initiator, 1) }, uniquingKeysWith: +)
        survey.oldest = survey.prepared.first?.age ?? 0
        let rows = try await participant.ending.query(
            """
            SELECT initiator, count(*), count(errormsg),
                   extract(epoch FROM clock_timestamp() - min(created_at))::float8
            FROM settle.branch WHERE state = 'undecided' GROUP BY initiator
            """)
        for row in rows {
            let count = try row.decode(Int.self, at: 1)
            survey.counts[try row.decode(String.self, at: 0), default: 0] += count
            survey.inTable += count
            survey.stuck += try row.decode(Int.self, at: 2)
            survey.oldest = max(survey.oldest, try row.decode(Double.self, at: 3))
        }
        return survey
    }

    /// Those that are due and whose initiator may be asked now, by its name; they are not due again soon, so that
    /// replicas do not ask about the same ones.
    ///
    /// - Parameter names: of those who may be asked, by what the rows call them.
    func claim(_ survey: Survey, of names: [String: String]) async throws -> [String: [XID]] {
        guard !names.isEmpty else { return [:] }
        var due: [String: [XID]] = [:]
        for prepared in claimPrepared(survey.prepared, of: names) {
            if let name = names[prepared.initiator] { due[name, default: []].append(prepared.xid) }
        }
        let backoff = settings.checkBackoff
        let rows = try await participant.ending.query(
            """
            WITH due AS (
                SELECT xid FROM settle.branch
                WHERE state = 'undecided' AND check_time <= now() AND initiator = ANY ($4::text[])
                ORDER BY check_time LIMIT $1 FOR UPDATE SKIP LOCKED)
            UPDATE settle.branch b SET
                checks = checks + 1,
                check_time = now() + least($3, $2 * 2 ^ least(checks, 20)) * (0.75 + random() * 0.5)
                                   * interval '1 millisecond'
            FROM due WHERE b.xid = due.xid RETURNING b.xid, b.initiator
            """,
            [
                .int(settings.batchSize), .int(backoff.initial.milliseconds), .int(backoff.cap.milliseconds),
                .texts(names.keys.sorted()),
            ])
        for row in rows {
            guard let xid = XID(rawValue: try row.decode(String.self, at: 0)),
                let name = names[try row.decode(String.self, at: 1)]
            else { continue }
            due[name, default: []].append(xid)
        }
        return due
    }

    private func claimPrepared(
        _ waiting: [PreparedTransactions.Prepared], of names: [String: String]
    ) -> [PreparedTransactions.Prepared] {
        let now = ContinuousClock.now
        return preparedChecks.withLock { known in
            let gids = Set(waiting.map(\.gid))
            known = known.filter { gids.contains($0.key) }
            let due = waiting.filter { names[$0.initiator] != nil && known[$0.gid].map { $0.next <= now } ?? true }
                .prefix(settings.batchSize)
            for prepared in due {
                let checks = (known[prepared.gid]?.checks ?? 0) + 1
                known[prepared.gid] = (checks, now + settings.checkBackoff.delay(attempt: checks))
            }
            return Array(due)
        }
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
        try await ending.query(
            """
            SELECT xid, mode, state, initiator, created_at, errormsg FROM settle.branch WHERE state = 'undecided'
            UNION ALL
            SELECT split_part(gid, ':', 2), 'xa', 'prepared', regexp_replace(gid, '^([^:]*:){3}', ''), prepared, NULL
            FROM pg_prepared_xacts
            WHERE database = current_database() AND gid LIKE 'settle:%'
            ORDER BY 5 LIMIT $1
            """, [.int(limit)]
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
