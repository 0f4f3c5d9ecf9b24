import SettleCore
public import Logging
import SettlePostgres
public import ServiceLifecycle
import Synchronization

/// Asks initiators about branches of which nothing was heard for a while, and ends those branches accordingly.
///
/// It alone makes global transactions end; phase 2 only makes them end sooner.
public final class CheckBack: Service {
    let participant: Participant
    let peers: any InitiatorPeers
    let settings: TransactionSettings
    let logger: Logger
    private let branches: UndecidedBranches
    private let initiators: Mutex<InitiatorsToAsk>
    private let purge: TransactionPurge
    /// What branches call initiators that configuration does not know, as was last said in the log.
    private let strangers = Mutex<Set<String>>([])  // ours
    /// Anything in it makes the next look happen now.
    private let signal = Mailbox<Void>(capacity: 1)

    /// - Parameters:
    ///   - participant: the one whose branches are asked about.
    ///   - peers: reaches the initiators.
    ///   - logger: gets a line for all that an operator should know.
    public init(participant: Participant, peers: any InitiatorPeers, logger: Logger) {
        self.participant = participant
        self.peers = peers
        self.logger = logger
        settings = participant.settings
        branches = UndecidedBranches(participant: participant)
        initiators = Mutex(InitiatorsToAsk(backoff: settings.checkBackoff))
        purge = BranchStore.purge(settings)
    }

    /// Runs until graceful shutdown.
    public func run() async throws {
        await reportXA()
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.reportAT() }
                group.addTask { await Task.every(self.settings.scanInterval) { _ = self.signal.offer(()) } }
                // Only a metric, and not for free.
                group.addTask { await Task.every(self.settings.scanInterval * 10) { await self.countOwnerless() } }
                group.addTask { await Task.every(self.settings.purgeInterval) { await self.forgetOld() } }
                while !(await self.signal.take()).isEmpty { await self.look(&group) }
                group.cancelAll()
            }
        }
    }

    /// The name of the initiator that a header calls so; nil when it is not known here.
    public func initiatorName(_ initiator: String) -> String? { peers.name(of: initiator) }

    /// One look; returns when all initiators that were to be asked have answered or failed to.
    func check() async {
        await withDiscardingTaskGroup { await self.look(&$0) }
    }

    /// Ends the prepared transactions whose initiators have decided, and touches no table.
    ///
    /// For the time when the common tables cannot be brought up to date because a prepared transaction, which has written
    /// its row there, holds them. A rollback leaves no memory of itself then: the initiator's, that it declared the
    /// transaction aborted, is enough, and a request that comes late is undone by the next check-back.
    public func endPrepared() async {
        do {
            let waiting = try await participant.prepared.waiting(longerThan: settings.checkAfter)
            for (initiator, its) in Dictionary(grouping: waiting, by: \.initiator) {  // ours
                guard let name = peers.name(of: initiator) else { continue }
                let its = its.prefix(settings.batchSize)
                var due = DueBranches()
                for prepared in its { due.add(prepared.xid, isOverdue: settings.timeLeft(of: prepared) <= .zero) }
                let decisions = try await decisions(on: due, at: name)
                for prepared in its {
                    guard let verdict = decisions[prepared.xid]?.verdict,
                        try await participant.prepared.end(prepared, verdict: verdict)
                    else { continue }
                    logger.info(
                        "a prepared transaction that a migration waits for was ended by check-back",
                        metadata: ["xid": "\(prepared.xid)", "decision": "\(verdict)"])
                }
            }
        } catch {
            logger.warning(
                "prepared transactions that a migration waits for could not be ended; they are asked about again",
                metadata: ["error": "\(error)"])
        }
    }

    private func look(_ group: inout DiscardingTaskGroup) async {
        do {
            let survey = try await branches.survey()
            let known = survey.counts.keys.reduce(into: [:]) { $0[$1] = peers.name(of: $1) }
            report(survey, known: known)
            let excluded = initiators.withLock { $0.excluded(now: .now) }
            let names = known.filter { !excluded.contains($0.value) }
            for (initiator, due) in try await branches.claim(survey, of: names) {
                initiators.withLock { $0.ask(initiator) }
                group.addTask {
                    await Spans.beginning("check back", attributes: { .branches(due.all) }) {
                        await self.ask(initiator, about: due)
                    }
                }
            }
        } catch {
            logger.warning("check-back failed; next look", metadata: ["error": "\(error)"])
        }
    }

    private func countOwnerless() async {
        do {
            participant.metrics.held(ownerless: try await branches.ownerlessRows())
        } catch {
            logger.warning("rows held for nobody could not be counted", metadata: ["error": "\(error)"])
        }
    }

    /// Tells the metrics what waits, and the log, once, whom configuration does not know.
    private func report(_ survey: UndecidedBranches.Survey, known: [String: String]) {  // ours
        let unknown = survey.counts.filter { known[$0.key] == nil }
        participant.metrics.undecided(
            survey.inTable, stuck: survey.stuck, unresolved: unknown.values.reduce(0, +), oldest: survey.oldest)
        let new = strangers.withLock { strangers in
            defer { strangers = Set(unknown.keys) }
            return unknown.filter { !strangers.contains($0.key) }
        }
        for (initiator, count) in new {
            logger.error(
                "branches wait for an initiator that configuration does not know; nobody is asked",
                metadata: ["initiator": "\(initiator)", "branches": "\(count)"])
        }
    }

    private func ask(_ initiator: String, about due: DueBranches) async {
        let xids = due.all
        participant.metrics.checkedBack(xids.count)
        do {
            let decisions = try await decisions(on: due, at: initiator)
            initiators.withLock { $0.answered(initiator) }
            await end(xids.filter { decisions[$0]?.verdict == .commit }, verdict: .commit)
            await end(xids.filter { decisions[$0]?.verdict == .rollback }, verdict: .rollback)
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

    /// Before the deadline a question only reads.
    private func decisions(on due: DueBranches, at initiator: String) async throws -> [XID: Decision] {
        var decisions: [XID: Decision] = [:]
        for (asked, onlyRead) in [(due.overdue, false), (due.early, true)] where !asked.isEmpty {
            decisions.merge(try await peers.decisions(on: asked, onlyRead: onlyRead, at: initiator)) { $1 }
        }
        return decisions
    }

    private func end(_ xids: [XID], verdict: Verdict) async {
        guard !xids.isEmpty else { return }
        do {
            let outcomes = try await SecondPhase(participant: participant, verdict: verdict).end(xids)
            logger.info(
                "branches ended by check-back",
                metadata: [
                    "xid": "\(xids[0])", "branches": "\(outcomes.count)", "decision": "\(verdict)",
                ])
        } catch {
            logger.warning(
                "branches could not be ended; they are asked about again",
                metadata: ["xid": "\(xids[0])", "branches": "\(xids.count)", "error": "\(error)"])
        }
    }

    private func forgetOld() async {
        do {
            _ = try await purge.round(in: participant.ending)
        } catch {
            logger.warning("forgetting old branches failed", metadata: ["error": "\(error)"])
        }
    }

    /// Has it looked at as soon as all migrations are done, which logs what is found: an operator shall hear of it before
    /// the first caller does.
    private func reportAT() async {
        guard participant.offers(.at) else { return }
        do {
            while !participant.actionsCanEnd() { try await Task.sleep(for: settings.scanInterval) }
            _ = try await participant.isATSafe()
        } catch is CancellationError {
            return
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
