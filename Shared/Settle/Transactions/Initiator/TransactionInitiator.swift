import SettleCore
public import Logging
public import SettlePostgres
import ServiceContextModule
public import ServiceLifecycle

/// The side of a global transaction that decides.
///
/// Participants do their parts under the transaction's XID. Then the initiator's own local transaction inserts the
/// decision, beside whatever else it writes: that commit *is* the commit of the global transaction. No row means abort.
public final class TransactionInitiator: Service {
    private let name: String?
    private let selfURL: String
    let store: DecisionStore
    private let phase2: PhaseTwo
    let presence: InitiatorPresence
    private let settings: TransactionSettings
    private let logger: Logger

    /// - Parameters:
    ///   - name: by which participants' configuration knows this service; at most `BranchContext.maxInitiatorLength`
    ///     bytes. Without one they go by `selfURL`, and find nobody there once it has changed.
    ///   - selfURL: base URL at which participants reach this service, or any replica of it; at most
    ///     `BranchContext.maxInitiatorLength` bytes.
    ///   - database: where `settle.global_transaction` is, beside the tables of the business.
    ///   - participants: reaches those who do the parts.
    ///   - settings: how patient it is.
    ///   - failpoints: where to crash on demand, in tests.
    ///   - logger: gets a line for all that an operator should know.
    public init(
        name: String? = nil, selfURL: String, database: PostgresDatabase, participants: any ParticipantPeers,
        settings: TransactionSettings = TransactionSettings(), failpoints: Failpoints = .none, logger: Logger
    ) {
        precondition((1...BranchContext.maxInitiatorLength).contains(selfURL.utf8.count), "a base URL that fits")
        self.name = name
        self.selfURL = selfURL
        self.settings = settings
        self.logger = logger
        store = DecisionStore(database: database, settings: settings)
        presence = InitiatorPresence(database: database)
        phase2 = PhaseTwo(store: store, peers: participants, settings: settings, failpoints: failpoints, logger: logger)
    }

    /// Runs `body` under a new global transaction.
    ///
    /// `body` calls the participants and ends with a local transaction that calls `decide`. If it throws, what the
    /// participants have done is rolled back before this throws on (or, if they cannot be reached soon, afterwards).
    ///
    /// - Throws: what `body` throws, wrapped in `TransactionCommitted` when the transaction is committed all the same;
    ///   `TransactionUndecided` when it returned without a decision that is known to be durable: rolled back, too.
    public func run<Result>(_ body: (GlobalTransaction) async throws -> Result) async throws -> Result {
        let transaction = GlobalTransaction(
            xid: XID(process: presence.process), initiator: selfURL, initiatorName: name,
            deadline: .now + settings.deadline, name: phase2.name(of:))
        var context = ServiceContext.current ?? .topLevel
        context.branchCaller = transaction.caller
        let result: Result
        do {
            result = try await ServiceContext.withValue(context) { try await body(transaction) }
        } catch {
            throw await end(transaction) ? TransactionCommitted(xid: transaction.xid, error: error) : error
        }
        guard await end(transaction) else { throw TransactionUndecided(xid: transaction.xid) }
        return result
    }

    /// Decides for `transactions`, inside the caller's local transaction: they are committed if, and only if, it is.
    ///
    /// - Throws: `TransactionTooLate` past a deadline, `TransactionEnded` once `run` is over, `TransactionDoomed` after a call
    ///   that neither was answered well nor refused. The local transaction itself fails when a participant was told "abort" before: see `DeclaredAborted`.
    public func decide(
        _ transactions: [GlobalTransaction], in transaction: borrowing PostgresTransaction
    ) throws {
        guard !transactions.isEmpty else { return }
        for transaction in transactions where transaction.remaining == .zero {
            throw TransactionTooLate(xid: transaction.xid)
        }
        for transaction in transactions { try transaction.checkOpen() }
        for transaction in transactions { try transaction.beginDeciding() }
        // Where nobody took part there is nobody to tell, and nobody will ask.
        let shared = transactions.filter { !$0.participants.isEmpty }
        if !shared.isEmpty { store.add(shared, in: transaction) }
        transaction.afterCommit { [phase2] _ in
            for transaction in transactions { transaction.progress = .committed }
            phase2.committed(shared)
        }
    }

    /// What was decided on each of `xids`; one that was not decided is aborted by asking.
    ///
    /// One whose initiating transaction is still open stays `undecided`, and never holds up the others.
    /// - Parameters:
    ///   - xids: the transactions that are asked about.
    ///   - onlyRead: leaves those alone that may still be decided; they are `undecided`. Those whose process is gone
    ///     are aborted all the same.
    public func decisions(on xids: [XID], onlyRead: Bool = false) async throws -> [XID: Decision] {
        var decisions = try await store.decisions(on: xids)
        var open = xids.filter { decisions[$0] == nil }
        if onlyRead, !open.isEmpty {
            let left = try await presence.left(open)
            for xid in open where !left.contains(xid) { decisions[xid] = .undecided }
            open.removeAll { !left.contains($0) }
        }
        guard !open.isEmpty else { return decisions }
        do {
            decisions.merge(try await store.settle(open, wait: settings.outcomeWait)) { $1 }
        } catch let error as PostgresError where error.isHeldOpen {
            // One or more are held by open transactions: each for itself then, a few at a time, and without waiting.
            let each = try await withThrowingTaskGroup(of: (XID, Decision).self) { group in
                var each: [(XID, Decision)] = []
                for (index, xid) in open.enumerated() {
                    if index >= 4, let decided = try await group.next() { each.append(decided) }
                    group.addTask { (xid, try await self.decision(on: xid, wait: .milliseconds(20))) }
                }
                for try await decided in group { each.append(decided) }
                return each
            }
            decisions.merge(each) { $1 }
        }
        return decisions
    }

    private func decision(on xid: XID, wait: Duration) async throws -> Decision {
        do {
            return try await store.settle([xid], wait: wait)[xid] ?? .undecided
        } catch let error as PostgresError where error.isHeldOpen {
            return .undecided
        }
    }

    /// Whatever is left to do once the initiator's own work is over; answers whether the transaction is committed.
    private func end(_ transaction: GlobalTransaction) async -> Bool {
        switch transaction.end().atEnd {
        case .nothing:
            return true
        case .rollBack:
            await phase2.rollBack(transaction)
            return false
        case .findOut:
            switch await findOut(transaction).foundOut {
            case .tellCommitted:
                transaction.progress = .committed
                phase2.committed([transaction])
                return true
            case .rollBack:
                await phase2.rollBack(transaction)
                return false
            case .leaveToCheckBack:
                logger.warning(
                    "a commit's outcome is unknown; the participants will ask",
                    metadata: ["xid": "\(transaction.xid)"])
                return false
            }
        }
    }

    /// What became of a decision that was sent, on another connection if need be; tried for as long as a caller waits
    /// for the end of what it began.
    private func findOut(_ transaction: GlobalTransaction) async -> Decision {
        let deadline = ContinuousClock.now + settings.rollbackWait
        let backoff = Backoff(initial: .milliseconds(20), cap: .milliseconds(500))
        // A task of its own: a client that goes away does not keep anybody's rows held.
        return await Task {
            var attempt = 0
            while true {
                attempt += 1
                do {
                    let decision = try await decision(on: transaction.xid, wait: settings.outcomeWait)
                    if decision != .undecided || ContinuousClock.now >= deadline { return decision }
                } catch {
                    guard ContinuousClock.now < deadline else {
                        logger.warning(
                            "a commit's outcome cannot be found out now",
                            metadata: ["xid": "\(transaction.xid)", "error": "\(error)"])
                        return .undecided
                    }
                }
                // Nobody cancels this task.
                try? await Task.sleep(for: backoff.delay(attempt: attempt))
            }
        }.value
    }

    /// Tells participants what this process decided, and takes over from processes that died doing so, until graceful
    /// shutdown.
    public func run() async throws {
        await withTaskGroup { group in
            group.addTask { await self.stayPresent() }
            await phase2.run()
            group.cancelAll()
        }
    }

    private func stayPresent() async {
        await Task.every(settings.scanInterval) {
            do {
                try await presence.renew()
            } catch {
                // The database is away, and says so itself. Nothing can be decided meanwhile either.
                logger.debug("this process's lock could not be looked at", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// The body of a global transaction returned, and nothing was decided: what was done is rolled back.
public struct TransactionUndecided: Error, CustomStringConvertible {
    /// Which.
    public let xid: XID
    /// For an operator.
    public var description: String { "global transaction \(xid) came to its end without a decision" }
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

/// A decision came for a global transaction whose initiator's work was over: the participants were told to roll back.
public struct TransactionEnded: Error, CustomStringConvertible {
    /// Which.
    public let xid: XID
    /// For an operator.
    public var description: String { "global transaction \(xid) was over before its decision came" }
}

/// A decision came for a global transaction in which a call had failed, so that something is done, or may be, of which a
/// part is missing. What was done is rolled back, whatever was made of the call's own error.
public struct TransactionDoomed: Error, CustomStringConvertible {
    /// Which.
    public let xid: XID
    /// What became of the call.
    public let cause: any Error
    /// For an operator.
    public var description: String { "global transaction \(xid) can only be rolled back: \(cause)" }
}

/// What was to be done under a global transaction is done, for good; only something after its commit went wrong.
public struct TransactionCommitted: Error, CustomStringConvertible {
    /// Which.
    public let xid: XID
    /// What went wrong: the connection was lost as the commit was on its way, for instance.
    public let error: any Error
    /// For an operator.
    public var description: String { "global transaction \(xid) is committed, although: \(error)" }
}
