import Base
public import Foundation
import Postgres
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
    private let preparedChecks = Mutex<[String: (checks: Int, next: ContinuousClock.Instant)]>([:])

    init(participant: Participant) {
        self.participant = participant
        settings = participant.settings
    }

    /// Those that are due, by their initiator, without those of `excluded`; they are not due again soon, so that
    /// replicas do not ask about the same ones, but at their deadline.
    func claim(except excluded: Set<String>) async throws -> [String: DueBranches] {
        var due = try await claimPrepared(except: excluded)
        let backoff = settings.checkBackoff
        let rows = try await participant.ending.query(
            """
            WITH due AS (
                SELECT xid, now() + least($3, $2 * 2 ^ least(checks, 20)) * (0.75 + random() * 0.5)
                                  * interval '1 millisecond' AS next
                FROM settle.branch
                WHERE state = 'undecided' AND check_time <= now() AND initiator <> ALL ($4::text[])
                ORDER BY check_time LIMIT $1 FOR UPDATE SKIP LOCKED)
            UPDATE settle.branch b SET
                checks = checks + 1, check_time = CASE WHEN deadline > now() THEN least(deadline, next) ELSE next END
            FROM due WHERE b.xid = due.xid RETURNING b.xid, b.initiator, deadline > now()
            """,
            [
                .int(settings.batchSize), .int(backoff.initial.milliseconds), .int(backoff.cap.milliseconds),
                .texts(Array(excluded)),
            ])
        for row in rows {
            guard let xid = XID(rawValue: try row.decode(String.self, at: 0)) else { continue }
            let isEarly = try row.decode(Bool?.self, at: 2) ?? false
            due[try row.decode(String.self, at: 1), default: DueBranches()].add(xid, isOverdue: !isEarly)
        }
        return due
    }

    private func claimPrepared(except excluded: Set<String>) async throws -> [String: DueBranches] {
        let waiting = try await participant.prepared.waiting(longerThan: settings.checkAfter)
        // Another replica may have ended what this one could not.
        let present = Set(waiting.map(\.xid))
        participant.unendedPrepared.withLock { $0.formIntersection(present) }
        let now = ContinuousClock.now
        let due = preparedChecks.withLock { known in
            let gids = Set(waiting.map(\.gid))
            known = known.filter { gids.contains($0.key) }
            let due = waiting.filter {
                !excluded.contains($0.initiator) && known[$0.gid].map { $0.next <= now } ?? true
            }
            .prefix(settings.batchSize)
            for prepared in due {
                let checks = (known[prepared.gid]?.checks ?? 0) + 1
                let pause = settings.checkBackoff.delay(attempt: checks)
                let left = settings.timeLeft(of: prepared)
                known[prepared.gid] = (checks, now + (left > .zero ? min(pause, left) : pause))
            }
            return due
        }
        return due.reduce(into: [:]) { byInitiator, prepared in
            byInitiator[prepared.initiator, default: DueBranches()]
                .add(prepared.xid, isOverdue: settings.timeLeft(of: prepared) <= .zero)
        }
    }

    /// Tells the metrics how many there are.
    func count() async throws {
        let rows = try await participant.ending.query(
            "SELECT count(*), count(errormsg) FROM settle.branch WHERE state = 'undecided'")
        guard let row = rows.first else { return }
        let unended = participant.unendedPrepared.withLock { $0.count }
        participant.metrics.undecided(try row.decode(Int.self, at: 0), stuck: try row.decode(Int.self, at: 1) + unended)
        guard participant.offers(.at) else { return }
        let ownerless = try await participant.ending.query("SELECT settle.at_ownerless()").first
        participant.metrics.held(ownerless: try ownerless?.decode(Int.self, at: 0) ?? 0)
    }

    /// Forgets a small batch of branches that ended long ago; returns how many.
    func purge() async throws -> Int {
        try await participant.ending.query(
            """
            DELETE FROM settle.branch WHERE xid IN (
                SELECT xid FROM settle.branch
                WHERE created_at < now() - $1 * interval '1 millisecond'
                  AND ended_at < now() - $1 * interval '1 millisecond'
                LIMIT $2 FOR UPDATE SKIP LOCKED)
            """, [.int(settings.retention.milliseconds), .int(settings.batchSize)]
        ).affected
    }
}

extension TransactionSettings {
    fileprivate func timeLeft(of prepared: PreparedTransactions.Prepared) -> Duration {
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
    /// When it was done.
    public let createdAt: Date
    /// Why it could not be ended, if that was tried.
    public let errormsg: String?
}

extension Participant {
    /// The oldest branches that wait for their decision.
    public func undecided(limit: Int) async throws -> [UndecidedBranch] {
        let unended = unendedPrepared.withLock { $0 }.map(\.rawValue)
        return try await ending.query(
            """
            SELECT xid, mode, state, created_at, errormsg FROM settle.branch WHERE state = 'undecided'
            UNION ALL
            SELECT split_part(gid, ':', 2), 'xa', 'prepared', prepared,
                   CASE WHEN split_part(gid, ':', 2) = ANY ($2::text[]) THEN 'it could not be ended; the log says why' END
            FROM pg_prepared_xacts
            WHERE database = current_database() AND gid LIKE 'settle:%'
            ORDER BY 4 LIMIT $1
            """, [.int(limit), .texts(unended)]
        ).map { row in
            UndecidedBranch(
                xid: try row.decode(String.self, at: 0), mode: try row.decode(String.self, at: 1),
                state: try row.decode(String.self, at: 2), createdAt: try row.decode(Date.self, at: 3),
                errormsg: try row.decode(String?.self, at: 4))
        }
    }
}
