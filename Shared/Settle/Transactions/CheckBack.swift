import Base
public import Foundation
public import Logging
import Postgres
public import ServiceLifecycle
import Synchronization

/// Asks initiators about branches of which nothing was heard for a while, and ends those branches accordingly.
///
/// It alone makes global transactions end; phase 2 only makes them end sooner.
public final class CheckBack: Service {
    private struct Open: Sendable {
        let xid: XID
        let initiator: String
    }

    private let participant: Participant
    private let peers: any InitiatorPeers
    private let settings: TransactionSettings
    private let logger: Logger
    /// How often each prepared transaction's initiator was asked, and when it is asked next.
    private let preparedChecks = Mutex<[String: (checks: Int, next: ContinuousClock.Instant)]>([:])

    /// - Parameter peers: reaches the initiators.
    public init(participant: Participant, peers: any InitiatorPeers, logger: Logger) {
        self.participant = participant
        self.peers = peers
        self.logger = logger
        settings = participant.settings
    }

    /// Runs until graceful shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var scans = 0
            while !Task.isCancelled {
                do {
                    try await self.check()
                    scans += 1
                    if scans % 60 == 0 { _ = try await self.purge() }
                } catch {
                    self.logger.warning("check-back failed; next scan", metadata: ["error": "\(error)"])
                }
                // Only cancellation ends the sleep early, and then the loop ends.
                try? await Task.sleep(for: self.settings.scanInterval)
            }
        }
    }

    func check() async throws {
        while true {
            let claimed = try await claim()
            await ask(claimed + (try await claimPrepared()))
            guard claimed.count == settings.batchSize else { return }
        }
    }

    private func ask(_ open: [Open]) async {
        await withTaskGroup { group in
            for (initiator, branches) in Dictionary(grouping: open, by: \.initiator) {
                group.addTask { await self.ask(initiator, about: branches.map(\.xid)) }
            }
        }
    }

    private func ask(_ initiator: String, about xids: [XID]) async {
        participant.metrics.checkedBack(xids.count)
        do {
            let decisions = try await peers.decisions(on: xids, at: initiator)
            let committed = xids.filter { decisions[$0] == .commit }
            let aborted = xids.filter { decisions[$0] == .abort }
            _ = try await participant.commit(committed)
            _ = try await participant.rollBack(aborted)
            logger.info(
                "branches ended by check-back",
                metadata: [
                    "initiator": "\(initiator)", "xid": "\(xids[0])", "committed": "\(committed.count)",
                    "rolledBack": "\(aborted.count)", "undecided": "\(xids.count - committed.count - aborted.count)",
                ])
        } catch {
            // Nothing is guessed: they stay as they are and are asked about again, later each time.
            logger.warning(
                "an initiator could not be asked; its branches wait",
                metadata: [
                    "initiator": "\(initiator)", "xid": "\(xids[0])", "branches": "\(xids.count)", "error": "\(error)",
                ])
        }
    }

    /// Leases the branches that are due, so that replicas do not ask about the same ones.
    private func claim() async throws -> [Open] {
        let backoff = settings.checkBackoff
        let rows = try await participant.ending.query(
            """
            WITH due AS (
                SELECT xid FROM settle.branch WHERE state = 'undecided' AND check_time <= now()
                ORDER BY check_time LIMIT $1 FOR UPDATE SKIP LOCKED)
            UPDATE settle.branch b SET
                checks = checks + 1,
                check_time = now() + least($3, $2 * 2 ^ least(checks, 20)) * (0.75 + random() * 0.5)
                                   * interval '1 millisecond'
            FROM due WHERE b.xid = due.xid RETURNING b.xid, b.initiator
            """,
            [.int(settings.batchSize), .int(backoff.initial.milliseconds), .int(backoff.cap.milliseconds)])
        return try rows.compactMap { row in
            guard let xid = XID(rawValue: try row.decode(String.self, at: 0)) else { return nil }
            return Open(xid: xid, initiator: try row.decode(String.self, at: 1))
        }
    }

    private func claimPrepared() async throws -> [Open] {
        let waiting = try await participant.prepared.waiting(
            longerThan: settings.checkAfter, limit: settings.batchSize)
        let now = ContinuousClock.now
        return preparedChecks.withLock { known in
            let gids = Set(waiting.map(\.gid))
            known = known.filter { gids.contains($0.key) }
            return waiting.filter { prepared in
                let before = known[prepared.gid]
                guard before.map({ $0.next <= now }) ?? true else { return false }
                let checks = (before?.checks ?? 0) + 1
                known[prepared.gid] = (checks, now + settings.checkBackoff.delay(attempt: checks))
                return true
            }.map { Open(xid: $0.xid, initiator: $0.initiator) }
        }
    }

    /// Forgets a small batch of branches that ended long ago; returns how many.
    private func purge() async throws -> Int {
        try await participant.ending.query(
            """
            DELETE FROM settle.branch WHERE xid IN (
                SELECT xid FROM settle.branch
                WHERE created_at < now() - $1 * interval '1 millisecond' AND state <> 'undecided'
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
