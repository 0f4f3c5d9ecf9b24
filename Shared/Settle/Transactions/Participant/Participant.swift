import Foundation
public import Logging
public import SettlePostgres
import Synchronization

/// The side of a global transaction that does a part of it, and undoes it if the initiator says so or never committed.
///
/// A participant does its part in one local transaction, together with a row in `settle.branch`. It may be called more than
/// once under one global transaction: each call is a branch of its own, and they end together.
public final class Participant: Sendable {
    struct Key: Hashable {
        let name: String
        let mode: BranchMode
    }

    let database: PostgresDatabase
    /// Ends branches on connections of its own: the first phase may wait for a row that only an end gives free.
    let ending: PostgresDatabase
    let prepared: PreparedTransactions
    let settings: TransactionSettings
    let failpoints: Failpoints
    let logger: Logger
    let metrics = ParticipantMetrics()
    let waiting: RowWaiting
    let actionsCanEnd: @Sendable () -> Bool
    /// Prepared transactions whose end failed here; there is no row that could say so.
    let unendedPrepared = Mutex<Set<XID>>([])
    let handlers: [Key: BranchHandler]
    let transport: (any BranchTransport)?
    private let isXAPossible = Atomic(false)
    private let obstacles: ATObstacles

    /// - Parameters:
    ///   - name: tells it from other participants whose databases are on the same server; up to 32 letters and dashes.
    ///   - database: where the business tables and `settle.branch` are.
    ///   - ending: the same database, on other connections; some of them work on one batch at once.
    ///   - handlers: all that the participant can do, in all modes.
    ///   - participants: reaches those whom `handlers` call further; nil: they call nobody by name.
    ///   - settings: how patient it is.
    ///   - failpoints: where to crash on demand, in tests.
    ///   - actionsCanEnd: false while the business tables are not yet as `handlers` need them. Branches in `tcc` and
    ///     `saga` wait until then; those in `at` and `xa`, which hold what a migration may wait for, end without a
    ///     handler.
    ///   - logger: gets a line for all that an operator should know.
    public init(
        name: String, database: PostgresDatabase, ending: PostgresDatabase, handlers: [BranchHandler],
        participants: (any BranchTransport)? = nil, settings: TransactionSettings = TransactionSettings(),
        failpoints: Failpoints = .none,
        actionsCanEnd: @escaping @Sendable () -> Bool = { true }, logger: Logger
    ) {
        precondition((1...32).contains(name.utf8.count) && XID(rawValue: name) != nil, "a name of letters and dashes")
        self.database = database
        self.ending = ending
        transport = participants
        self.settings = settings
        self.failpoints = failpoints
        self.actionsCanEnd = actionsCanEnd
        self.logger = logger
        waiting = RowWaiting(timeout: settings.lockTimeout)
        prepared = PreparedTransactions(database: ending, participant: name)
        obstacles = ATObstacles(database: ending, logger: logger)
        self.handlers = Dictionary(
            handlers.map { (Key(name: $0.name, mode: $0.mode), $0) }, uniquingKeysWith: { $1 })
    }

    /// Does the part itself, in a local transaction.
    ///
    /// - Parameter isAlone: whether it may wait for a row; in a group others would wait for its answer.
    func perform(_ name: String, _ asked: BranchRequest, isAlone: Bool) async throws -> Data {
        let context = asked.context
        guard let handler = handlers[Key(name: name, mode: context.mode)] else {
            throw BranchError.unsupportedMode(context.mode)
        }
        if context.mode == .mt { return Data(try await performByResource(name, [asked])[0].get().utf8) }
        if context.mode == .xa { guard try await isXASupported() else { throw BranchError.xaImpossible } }
        if context.mode == .at { guard try await isATSafe() else { throw BranchError.atImpossible } }
        // It would be in vain, or before those who have waited for longer.
        if !isAlone, waiting.isAwaited({ handler.rows(asked.text) }) { throw BranchError.comeAlone }
        let branch = FirstPhase(
            handler: handler, request: asked.text, context: context,
            prepared: prepared, settings: settings, failpoints: failpoints)
        do {
            let attempt = { (lockWait: Duration) in try await branch.perform(in: self.database, lockWait: lockWait) }
            let answer =
                if isAlone {
                    try await waiting.untilFree(context, rows: { handler.rows(asked.text) }, attempt)
                } else {
                    try await waiting.once(attempt)
                }
            metrics.event(.performed)
            logger.debug("branch performed", metadata: metadata(context, name))
            return Data(answer.utf8)
        } catch {
            // It may have failed because it was done before: then that is the answer.
            if let answer = try await answerBefore(branch, error) {
                metrics.event(.repeated)
                return Data(answer.utf8)
            }
            if error is RowHeld, !isAlone { throw BranchError.comeAlone }
            metrics.event(error is RowHeld ? .locked : .refused)
            if let refused = BranchError(gate: error) { throw refused }
            switch error {
            case is RowHeld: throw BranchError.locked
            case let error as PostgresError where error.isPrepareImpossible:
                isXAPossible.store(false, ordering: .relaxed)
                throw BranchError.xaImpossible
            case let error as PostgresError where error.sqlState == "ST009":
                throw BranchError.tooManyRows(limit: settings.maxRows)
            case let error as PostgresError where error.sqlState == "ST004":
                logger.error(
                    "an action in mode 'at' writes a table that is not enrolled: enroll it, or exempt it",
                    metadata: metadata(context, name).merging(["tables": "\(error.detail ?? "")"]) { $1 })
                throw error
            default: throw error
            }
        }
    }

    /// Whether mode `xa` can work: the server may have `max_prepared_transactions = 0`. Asked until it can.
    public func isXASupported() async throws -> Bool {
        if isXAPossible.load(ordering: .relaxed) { return true }
        let isPossible = try await prepared.isPossible()
        isXAPossible.store(isPossible, ordering: .relaxed)
        return isPossible
    }

    /// Whether mode `at` could undo what it does to the enrolled tables as they are now. Asked, at most every five
    /// seconds, until it can; each time the log names what is in the way.
    public func isATSafe() async throws -> Bool { try await obstacles.areNone() }

    /// The names of all that can be done, in any mode.
    public var actions: [String] { Set(handlers.keys.map(\.name)).sorted() }  // ours

    /// Whether any action can be done in `mode`.
    public func offers(_ mode: BranchMode) -> Bool { handlers.keys.contains { $0.mode == mode } }

    /// The answer that was given before, if the branch exists; throws when its transaction is over.
    private func answerBefore(_ branch: FirstPhase, _ error: any Error) async throws -> String? {
        let before = try await BranchStore.find(branch.context.xid, branch.context.branch, in: database)
        switch (before?.state).onRequest {
        case .perform: break
        case .refuse: throw BranchError.transactionIsOver
        case .answerAgain:
            guard let before, before.mode == branch.context.mode, before.action == branch.handler.name,
                try branch.handler.isSame(before.request, branch.request)
            else { throw BranchError.otherRequest }
            return before.answer
        }
        guard branch.context.mode == .xa,
            try await prepared.find([branch.context.xid]).contains(where: { $0.branch == branch.context.branch })
        else { return nil }
        // This very request has prepared it, and only the word of it was lost.
        if (error as? PostgresError)?.kind == .commitUnknown, let answer = branch.answer { return answer }
        throw BranchError.prepared
    }

    func metadata(_ context: BranchContext, _ name: String) -> Logger.Metadata {
        [
            "xid": "\(context.xid)", "branch": "\(context.branch)", "mode": "\(context.mode.rawValue)",
            "action": "\(name)",
        ]
    }

    func handler(_ branch: BranchStore.Branch) -> BranchHandler? {
        branch.mode.flatMap { handlers[Key(name: branch.action, mode: $0)] }
    }
}

extension PostgresError {
    /// PREPARE TRANSACTION is switched off (`max_prepared_transactions`): object not in prerequisite state.
    fileprivate var isPrepareImpossible: Bool {
        sqlState == "55000" && statement?.hasPrefix("PREPARE TRANSACTION") == true
    }
}
