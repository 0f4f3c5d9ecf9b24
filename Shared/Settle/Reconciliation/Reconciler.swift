public import Foundation
public import Logging
public import ServiceLifecycle
import SettleCore
public import SettlePostgres
import Synchronization

/// Compares what an application expects other services to have booked with what they have: by itself now and then, and when
/// it is asked to. What the protocol can mend is mended by it; the rest is listed with what a person may do.
///
/// Any number of processes may have one: a run belongs to one of them, and to another when that one is gone.
public final class Reconciler: Service {
    /// What it needs to end branches.
    public struct Branches: Sendable {
        let audit: any BranchAudit
        let initiator: TransactionInitiator
        let peers: any ParticipantPeers

        /// - Parameters:
        ///   - audit: shows what participants hold.
        ///   - initiator: knows what was decided.
        ///   - peers: tells them.
        public init(audit: any BranchAudit, initiator: TransactionInitiator, peers: any ParticipantPeers) {
            self.audit = audit
            self.initiator = initiator
            self.peers = peers
        }
    }

    let books: [ReconciledBook]
    let business: any ReconciledBusiness
    let branches: Branches?
    let settings: ReconciliationSettings
    let store: ReconciliationStore
    let metrics = ReconciliationMetrics()
    let logger: Logger
    private let asked: AsyncStream<ReconciliationRun>
    private let ask: AsyncStream<ReconciliationRun>.Continuation

    /// - Parameters:
    ///   - settings: how often, and how patiently.
    ///   - database: of the application, with the tables of `SettleSchema.reconciliation`.
    ///   - books: those that are compared.
    ///   - business: what the application knows.
    ///   - branches: what it needs to look after branches; nil for an application without global transactions.
    ///   - logger: gets a line for each finding.
    public init(
        settings: ReconciliationSettings = ReconciliationSettings(), database: PostgresDatabase,
        books: [ReconciledBook], business: any ReconciledBusiness, branches: Branches? = nil, logger: Logger
    ) {
        self.settings = settings
        self.books = books
        self.business = business
        self.branches = branches
        self.logger = logger
        store = ReconciliationStore(database: database, settings: settings)
        (asked, ask) = AsyncStream.makeStream()
    }

    /// Carries out the runs until a graceful shutdown, which ends one that is under way: another process may begin anew.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.beginNowAndThen() }
                for await run in self.asked {
                    let lease = Task { await self.keep(run) }
                    await run.carryOut()
                    lease.cancel()
                }
                group.cancelAll()
            }
        }
    }

    /// Begins a run, unless one is under way.
    ///
    /// - Parameter repairs: whether it mends, or only looks.
    /// - Returns: whether this call began it.
    public func begin(repairs: Bool = true) async throws -> Bool { try await begin(repairs: repairs, after: nil) }

    /// What the last run found, or the one that is under way has found so far; nil before the first.
    public func last() async throws -> ReconciliationReport? { try await store.last() }

    /// Has the proposal of a finding carried out, and writes that down.
    ///
    /// - Returns: whether it was still right, and is done; nil when no such finding has a proposal that is open.
    public func apply(_ id: UUID, reason: String) async throws -> Bool? {
        guard let finding = try await store.open(id), let proposal = finding.proposal else { return nil }
        guard try await carryOut(proposal, id: id, reason: reason) else { return false }
        let text = String(decoding: try JSONEncoder().encode(proposal), as: UTF8.self)
        try await store.applied(
            id,
            ReconciliationStore.Repair(
                kind: finding.kind, key: finding.subject, before: finding.detail, after: text, reason: reason))
        logger.notice(
            "a proposal of the reconciliation was applied",
            metadata: ["kind": "\(finding.kind)", "orderId": "\(finding.subject)", "proposal": "\(text)"])
        return true
    }

    private func carryOut(_ proposal: ReconciliationProposal, id: UUID, reason: String) async throws -> Bool {
        switch proposal {
        case .adjust(let name, let key, let before, let after):
            guard let book = books.first(where: { $0.name == name })?.book else { return false }
            // The finding's id makes it one adjustment, however often it is asked for.
            return try await book.adjust(
                LedgerAdjustment(
                    id: id.uuidString.lowercased(), key: key, before: before, after: after, reason: reason))
        case .correct(let name, let difference):
            guard let book = books.first(where: { $0.name == name })?.book else { return false }
            return try await !book.correct([difference], reason: reason).isEmpty
        case .own(let action, let key):
            return try await business.apply(action, key: key, reason: reason)
        }
    }

    private func begin(repairs: Bool, after interval: Duration?) async throws -> Bool {
        guard let id = try await store.begin(repairs: repairs, after: interval) else { return false }
        ask.yield(ReconciliationRun(id: id, repairs: repairs, reconciler: self))
        return true
    }

    /// One process of several does.
    private func beginNowAndThen() async {
        guard settings.interval > .zero else { return }
        await Task.every(settings.interval, first: false) {
            do {
                if let endedAt = try await last()?.endedAt { metrics.lastRun(endedAt: endedAt) }
                _ = try await begin(repairs: true, after: settings.interval * 0.9)
            } catch {
                logger.warning("no reconciliation could be begun", metadata: ["error": "\(error)"])
            }
        }
    }

    /// A sign of life now and then, so that nobody else begins; one that cannot be given is missed at the end of the lease.
    private func keep(_ run: ReconciliationRun) async {
        await Task.every(settings.lease / 4, first: false) {
            await run.trying("the run itself") {
                _ = try await store.renew(run.id, keys: run.tally.content.withLock { $0.keys })
            }
        }
    }
}
