import Base
public import Foundation
public import Logging
public import Postgres
import Synchronization

/// The side of a global transaction that does a part of it, and undoes it if the initiator says so or never committed.
///
/// A participant does its part in one local transaction, together with a row in `settle.branch`. Its part of one global
/// transaction is one call: what belongs together belongs into one local transaction.
public final class Participant: Sendable {
    private struct Key: Hashable {
        let name: String
        let mode: BranchMode
    }

    let database: PostgresDatabase
    /// Ends branches on connections of its own: the first phase may wait for a row that only an end gives free.
    let ending: PostgresDatabase
    let prepared: PreparedTransactions
    let settings: TransactionSettings
    let faults: Faults
    let logger: Logger
    let metrics = ParticipantMetrics()
    private let handlers: [Key: BranchHandler]
    private let isXAPossible = Mutex<Bool?>(nil)

    /// - Parameters:
    ///   - name: tells it from other participants whose databases are on the same server; up to 32 letters and dashes.
    ///   - database: where the business tables and `settle.branch` are.
    ///   - ending: the same database, on other connections.
    ///   - handlers: all that the participant can do, in all modes.
    public init(
        name: String, database: PostgresDatabase, ending: PostgresDatabase, handlers: [BranchHandler],
        settings: TransactionSettings = TransactionSettings(), faults: Faults = .none, logger: Logger
    ) {
        precondition((1...32).contains(name.utf8.count) && XID(rawValue: name) != nil, "a name of letters and dashes")
        self.database = database
        self.ending = ending
        self.settings = settings
        self.faults = faults
        self.logger = logger
        prepared = PreparedTransactions(database: ending, participant: name)
        self.handlers = Dictionary(
            handlers.map { (Key(name: $0.name, mode: $0.mode), $0) }, uniquingKeysWith: { $1 })
    }

    /// Does the action called `name` under the global transaction of `context`; returns its answer as JSON.
    ///
    /// The same request again gets the same answer and does nothing.
    /// - Throws: `BranchRefusal` when the business says no, `BranchError`, or what the database throws. In all cases but
    ///   a lost connection nothing was done, and then the rollback that follows undoes it.
    public func perform(_ name: String, request: Data, context: BranchContext) async throws -> Data {
        guard let handler = handlers[Key(name: name, mode: context.mode)] else {
            throw BranchError.unsupportedMode(context.mode)
        }
        if context.mode == .xa { try await requireXA() }
        let request = String(decoding: request, as: UTF8.self)
        do {
            let answer = try await untilUnlocked(context) { try await self.perform(handler, request, context) }
            metrics.event(.performed)
            logger.debug("branch performed", metadata: metadata(context, name))
            return Data(answer.utf8)
        } catch {
            // It may have failed because it was done before: then that is the answer.
            if let answer = try await answerBefore(context) {
                metrics.event(.repeated)
                return Data(answer.utf8)
            }
            metrics.event(error is RowHeld ? .locked : .refused)
            throw error is RowHeld ? BranchError.locked : error
        }
    }

    /// Whether mode `xa` can work: the server may have `max_prepared_transactions = 0`. Asked once.
    public func isXASupported() async throws -> Bool {
        if let known = isXAPossible.withLock({ $0 }) { return known }
        let isPossible = try await prepared.isPossible()
        isXAPossible.withLock { $0 = isPossible }
        return isPossible
    }

    private func requireXA() async throws {
        guard try await isXASupported() else { throw BranchError.xaImpossible }
    }

    private func perform(
        _ handler: BranchHandler, _ request: String, _ context: BranchContext
    ) async throws -> String {
        try faults.reach("branch.beforeCommit")
        let isXA = context.mode == .xa
        let answer = try await database.transaction(
            ending: isXA ? .prepare(gid: prepared.gid(context)) : .commit
        ) { [settings] transaction in
            if context.mode == .at {
                transaction.add("SELECT set_config('settle.xid', $1, true)", [.text(context.xid.rawValue)])
            }
            // A row that a prepared transaction holds would block this thread; rather come again, as with `at`.
            if isXA { transaction.add("SELECT set_config('lock_timeout', '20ms', true)") }
            let answer = try handler.perform(request, transaction)
            // A prepared branch is invisible until it is committed, so it says that it is.
            BranchStore.insert(
                context, action: handler.name, request: request, answer: answer,
                state: isXA ? .committed : .undecided, checkAfter: settings.checkAfter, in: transaction)
            return answer
        }
        try faults.reach("branch.committed")
        return answer
    }

    /// The answer that was given before, if the branch exists; throws when its transaction is over.
    private func answerBefore(_ context: BranchContext) async throws -> String? {
        if let branch = try await BranchStore.find(context.xid, in: database) {
            switch branch.state.onRequest {
            case .answerAgain: return branch.answer
            case .refuse: throw BranchError.transactionIsOver
            }
        }
        if context.mode == .xa, try await !prepared.find([context.xid]).isEmpty { throw BranchError.prepared }
        return nil
    }

    /// Tries again, with jitter, while another global transaction holds a row, up to the lock timeout. No connection is
    /// held while it waits.
    private func untilUnlocked<Result>(
        _ context: BranchContext, _ perform: () async throws -> Result
    ) async throws -> Result {
        let deadline = ContinuousClock.now + settings.lockTimeout
        let backoff = Backoff(initial: .milliseconds(4), cap: .milliseconds(50), multiplier: 1.5, jitter: 0.8)
        var attempt = 0
        while true {
            do {
                return try await perform()
            } catch let error as PostgresError where error.isRowHeld || error.isSerializationConflict {
                attempt += 1
                let delay = backoff.delay(attempt: attempt)
                guard ContinuousClock.now + delay < deadline else { throw RowHeld() }
                try await Task.sleep(for: delay)
            }
        }
    }

    func metadata(_ context: BranchContext, _ name: String) -> Logger.Metadata {
        ["xid": "\(context.xid)", "mode": "\(context.mode.rawValue)", "action": "\(name)"]
    }

    func handler(_ branch: BranchStore.Branch) -> BranchHandler? {
        branch.mode.flatMap { handlers[Key(name: branch.action, mode: $0)] }
    }
}

private struct RowHeld: Error {}

extension PostgresError {
    /// A row is held by another undecided global transaction (`ST001`, raised by the guard of an enrolled table) or by a
    /// prepared one (`55P03`, lock not available).
    public var isRowHeld: Bool { sqlState == "ST001" || sqlState == "55P03" }
}

/// Why a participant would not do its part.
public enum BranchError: Error, Sendable, Equatable {
    /// A row that it needs was held by another global transaction until the lock timeout.
    case locked
    /// The request came after its transaction was rolled back.
    case transactionIsOver
    /// The same request is prepared already and waits for its decision; its answer is not visible yet.
    case prepared
    /// The participant has no such action in this mode.
    case unsupportedMode(BranchMode)
    /// The database has `max_prepared_transactions = 0`.
    case xaImpossible
}
