import Base
public import Logging
import Postgres
public import ServiceLifecycle
import Synchronization

/// Asks initiators about branches of which nothing was heard for a while, and ends those branches accordingly.
///
/// It alone makes global transactions end; phase 2 only makes them end sooner.
public final class CheckBack: Service {
    private let participant: Participant
    private let peers: any InitiatorPeers
    private let settings: TransactionSettings
    private let logger: Logger
    private let branches: UndecidedBranches
    private let initiators: Mutex<InitiatorsToAsk>
    /// Anything in it makes the next look happen now.
    private let signal = Mailbox<Void>(capacity: 1)

    /// - Parameter peers: reaches the initiators.
    public init(participant: Participant, peers: any InitiatorPeers, logger: Logger) {
        self.participant = participant
        self.peers = peers
        self.logger = logger
        settings = participant.settings
        branches = UndecidedBranches(participant: participant)
        initiators = Mutex(InitiatorsToAsk(backoff: settings.checkBackoff))
    }

    /// Runs until graceful shutdown.
    public func run() async throws {
        await reportAT()
        await reportXA()
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.every(self.settings.scanInterval) { _ = self.signal.offer(()) } }
                group.addTask { await self.every(self.settings.purgeInterval) { await self.purge() } }
                while !(await self.signal.take()).isEmpty { await self.look(&group) }
                group.cancelAll()
            }
        }
    }

    /// One look; returns when all initiators that were to be asked have answered or failed to.
    func check() async {
        await withDiscardingTaskGroup { await self.look(&$0) }
    }

    private func every(_ interval: Duration, _ body: () async -> Void) async {
        while !Task.isCancelled {
            await body()
            // Only cancellation ends the sleep early, and then the loop ends.
            try? await Task.sleep(for: interval)
        }
    }

    private func look(_ group: inout DiscardingTaskGroup) async {
        do {
            try await branches.count()
            let excluded = initiators.withLock { $0.excluded(now: .now) }
            for (initiator, due) in try await branches.claim(except: excluded) {
                initiators.withLock { $0.ask(initiator) }
                group.addTask { await self.ask(initiator, about: due) }
            }
        } catch {
            logger.warning("check-back failed; next look", metadata: ["error": "\(error)"])
        }
    }

    private func ask(_ initiator: String, about xids: [XID]) async {
        participant.metrics.checkedBack(xids.count)
        do {
            let decisions = try await peers.decisions(on: xids, at: initiator)
            initiators.withLock { $0.answered(initiator) }
            await end(xids.filter { decisions[$0]?.commits == true }, commit: true)
            await end(xids.filter { decisions[$0]?.commits == false }, commit: false)
            // There may be more than one question holds.
            if xids.count >= settings.batchSize { signal.offer(()) }
        } catch {
            initiators.withLock { $0.failed(initiator, now: .now) }
            // Nothing is guessed: they stay as they are and are asked about again, later each time.
            logger.warning(
                "an initiator could not be asked; its branches wait",
                metadata: [
                    "initiator": "\(initiator)", "xid": "\(xids[0])", "branches": "\(xids.count)", "error": "\(error)",
                ])
        }
    }

    private func end(_ xids: [XID], commit: Bool) async {
        guard !xids.isEmpty else { return }
        do {
            let outcomes = try await commit ? participant.commit(xids) : participant.rollBack(xids)
            logger.info(
                "branches ended by check-back",
                metadata: [
                    "xid": "\(xids[0])", "branches": "\(outcomes.count)", "decision": commit ? "commit" : "abort",
                ])
        } catch {
            logger.warning(
                "branches could not be ended; they are asked about again",
                metadata: ["xid": "\(xids[0])", "branches": "\(xids.count)", "error": "\(error)"])
        }
    }

    private func purge() async {
        do {
            while try await branches.purge() == settings.batchSize, !Task.isCancelled {}
        } catch {
            logger.warning("forgetting old branches failed", metadata: ["error": "\(error)"])
        }
    }

    /// An operator shall hear of it before the first caller does.
    /// Looked at now, and not when the first branch comes: it logs what it finds.
    private func reportAT() async {
        do {
            guard participant.offers(.at) else { return }
            _ = try await participant.isATSafe()
        } catch {
            logger.warning("whether mode 'at' can undo is not known yet", metadata: ["error": "\(error)"])
        }
    }

    private func reportXA() async {
        do {
            guard participant.offers(.xa), try await !participant.isXASupported() else { return }
            logger.error("mode 'xa' is refused: PostgreSQL has max_prepared_transactions = 0; the other modes work")
        } catch {
            logger.warning("whether mode 'xa' can work is not known yet", metadata: ["error": "\(error)"])
        }
    }
}
