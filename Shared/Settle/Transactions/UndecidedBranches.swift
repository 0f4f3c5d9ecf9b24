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

    /// Those that are due, by their initiator, without those of `excluded`; they are not due again soon, so that
    /// replicas do not ask about the same ones.
    func claim(except excluded: Set<String>) async throws -> [String: [XID]] {
        var due = try await claimPrepared(except: excluded)
        let backoff = settings.checkBackoff
        let rows = try await participant.ending.query(
            """
            WITH due AS (
                SELECT xid FROM settle.branch
                WHERE state = 'undecided' AND check_time <= now() AND initiator <> ALL ($4::text[])
                ORDER BY check_time LIMIT $1 FOR UPDATE SKIP LOCKED)
            UPDATE settle.branch b SET
                checks = checks + 1,
                check_time = now() + least($3, $2 * 2 ^ least(checks, 20)) * (0.75 + random() * 0.5)
                                   * interval '1 millisecond'
            FROM due WHERE b.xid = due.xid RETURNING b.xid, b.initiator
            """,
            [
                .int(settings.batchSize), .int(backoff.initial.milliseconds), .int(backoff.cap.milliseconds),
                .texts(Array(excluded)),
            ])
        for row in rows {
            guard let xid = XID(rawValue: try row.decode(String.self, at: 0)) else { continue }
            due[try row.decode(String.self, at: 1), default: []].append(xid)
        }
        return due
    }

    private func claimPrepared(except excluded: Set<String>) async throws -> [String: [XID]] {
        let waiting = try await participant.prepared.waiting(longerThan: settings.checkAfter)
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
                known[prepared.gid] = (checks, now + settings.checkBackoff.delay(attempt: checks))
            }
            return due
        }
        return Dictionary(grouping: due, by: \.initiator).mapValues { $0.map(\.xid) }
    }

    /// Tells the metrics how many there are.
    func count() async throws {
        let rows = try await participant.ending.query(
            "SELECT count(*), count(errormsg) FROM settle.branch WHERE state = 'undecided'")
        guard let row = rows.first else { return }
        participant.metrics.undecided(try row.decode(Int.self, at: 0), stuck: try row.decode(Int.self, at: 1))
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
        try await ending.query(
            """
            SELECT xid, mode, state, created_at, errormsg FROM settle.branch WHERE state = 'undecided'
            UNION ALL
            SELECT split_part(gid, ':', 2), 'xa', 'prepared', prepared, NULL FROM pg_prepared_xacts
            WHERE database = current_database() AND gid LIKE 'settle:%'
            ORDER BY 4 LIMIT $1
            """, [.int(limit)]
        ).map { row in
            UndecidedBranch(
                xid: try row.decode(String.self, at: 0), mode: try row.decode(String.self, at: 1),
                state: try row.decode(String.self, at: 2), createdAt: try row.decode(Date.self, at: 3),
                errormsg: try row.decode(String?.self, at: 4))
        }
    }
}
