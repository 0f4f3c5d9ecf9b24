import Base
public import Logging
public import Postgres
import ServiceContextModule
public import ServiceLifecycle
import Synchronization

/// The side of a global transaction that decides.
///
/// Participants do their parts under the transaction's XID. Then the initiator's own local transaction inserts the
/// decision, beside whatever else it writes: that commit *is* the commit of the global transaction. No row means abort.
public final class TransactionInitiator: Service {
    private let selfURL: String
    private let store: DecisionStore
    private let phase2: PhaseTwo
    private let settings: TransactionSettings
    private let logger: Logger

    /// - Parameters:
    ///   - selfURL: base URL at which participants reach this service, or any replica of it.
    ///   - database: where `settle.global_transaction` is, beside the tables of the business.
    public init(
        selfURL: String, database: PostgresDatabase, participants: any ParticipantPeers,
        settings: TransactionSettings = TransactionSettings(), faults: Faults = .none, logger: Logger
    ) {
        self.selfURL = selfURL
        self.settings = settings
        self.logger = logger
        store = DecisionStore(database: database, settings: settings)
        phase2 = PhaseTwo(store: store, peers: participants, settings: settings, faults: faults, logger: logger)
    }

    /// Runs `body` under a new global transaction.
    ///
    /// `body` calls the participants and ends with a local transaction that calls `decide`. If it throws, or returns
    /// without having decided, what the participants have done is rolled back before this returns (or, if they cannot be
    /// reached soon, afterwards).
    public func run<Result>(_ body: (GlobalTransaction) async throws -> Result) async throws -> Result {
        let transaction = GlobalTransaction(
            xid: XID(), initiator: selfURL, deadline: .now + settings.deadline)
        var context = ServiceContext.current ?? .topLevel
        context.globalTransaction = transaction
        let result: Result
        do {
            result = try await ServiceContext.withValue(context) { try await body(transaction) }
        } catch {
            await abandon(transaction)
            throw error
        }
        if transaction.progress != .committed { await abandon(transaction) }
        return result
    }

    /// Decides for `transactions`, inside the caller's local transaction: they are committed if, and only if, it is.
    ///
    /// - Throws: `TransactionTooLate` past a deadline. The statement itself fails with a unique violation of
    ///   `global_transaction_pkey` when a participant was told "abort" before.
    public func decide(
        _ transactions: [GlobalTransaction], in transaction: borrowing PostgresTransaction
    ) throws {
        guard !transactions.isEmpty else { return }
        for transaction in transactions where transaction.remaining == .zero {
            throw TransactionTooLate(xid: transaction.xid)
        }
        for transaction in transactions { transaction.progress = .deciding }
        store.add(transactions, in: transaction)
        transaction.afterCommit { [phase2] _ in
            for transaction in transactions { transaction.progress = .committed }
            phase2.committed(transactions)
        }
    }

    /// What was decided on each of `xids`; one that was not decided is aborted by asking.
    ///
    /// One whose initiating transaction is still open stays `undecided`, and never holds up the others.
    public func decisions(on xids: [XID]) async throws -> [XID: Decision] {
        var decisions = try await store.decisions(on: xids)
        let open = xids.filter { decisions[$0] == nil }
        guard !open.isEmpty else { return decisions }
        do {
            decisions.merge(try await store.settle(open)) { $1 }
        } catch let error as PostgresError where error.sqlState == "55P03" {
            // One of them is held by an open transaction. Each for itself, then, a few at a time.
            for xid in open { decisions[xid] = try await decision(on: xid) }
        }
        return decisions
    }

    private func decision(on xid: XID) async throws -> Decision {
        do {
            return try await store.settle([xid])[xid] ?? .undecided
        } catch let error as PostgresError where error.sqlState == "55P03" {
            return .undecided
        }
    }

    /// Undoes what was begun, unless it is, after all, committed.
    private func abandon(_ transaction: GlobalTransaction) async {
        guard !transaction.participants.isEmpty else { return }
        if transaction.progress == .deciding {
            do {
                switch try await decision(on: transaction.xid) {
                case .abort: break
                case .commit: return phase2.committed([transaction])
                case .undecided: return  // the participants will ask
                }
            } catch {
                logger.warning(
                    "a commit's outcome is unknown; the participants will ask",
                    metadata: ["xid": "\(transaction.xid)", "error": "\(error)"])
                return
            }
        }
        await phase2.rollBack(transaction)
    }

    /// Tells participants what this process decided, and takes over from processes that died doing so, until graceful
    /// shutdown.
    public func run() async throws {
        try await phase2.run()
    }
}

/// A global transaction came to its decision past its deadline.
public struct TransactionTooLate: Error, CustomStringConvertible {
    /// Which.
    public let xid: XID
    /// For an operator.
    public var description: String { "global transaction \(xid) is past its deadline" }

    /// It concerns `xid`.
    public init(xid: XID) { self.xid = xid }
}
