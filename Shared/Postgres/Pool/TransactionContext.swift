import Synchronization

/// What a transaction has queued, sent and received so far. Lives on its connection's thread.
final class TransactionContext {
    /// Tells tickets of different transactions apart.
    struct ID: Sendable, Equatable {
        private static let last = Atomic<UInt64>(0)
        private let number = ID.last.wrappingAdd(1, ordering: .relaxed).newValue
    }

    private let id = ID()
    private let worker: ConnectionWorker
    private var queued: [Statement] = []
    /// By ticket; those of queued statements are still `nil`.
    private var results: [ResultHandle?] = []
    private var hasBegun = false
    private let isPrepared: Bool
    /// The first one; nothing is sent behind it.
    private(set) var failure: PostgresError?
    private var actions: [@Sendable (PostgresCommitted) -> Void] = []
    /// How many are open now.
    private var savepoints = 0

    /// - Parameter isPrepared: false to parse each statement just before it is executed.
    init(_ worker: ConnectionWorker, isPrepared: Bool) {
        self.worker = worker
        self.isPrepared = isPrepared
    }

    /// The transaction lifts the server's limits, so the client has none either.
    func waitAsLongAsItTakes() {
        worker.connection.isPatient = true
    }

    func add(_ statement: Statement) -> PostgresTicket {
        do throws(PostgresError) {
            try statement.validate()
        } catch {
            failure = failure ?? error
        }
        queued.append(statement)
        results.append(nil)
        return PostgresTicket(transaction: id, index: results.count - 1)
    }

    func rows(of ticket: PostgresTicket) throws(PostgresError) -> PostgresRows {
        guard ticket.transaction == id else {
            throw PostgresError(.invalidParameter, "a ticket of another transaction")
        }
        if results[ticket.index] == nil { try flush() }
        guard let result = results[ticket.index] else { throw failure ?? lostResult }
        return PostgresRows(result: result)
    }

    func afterCommit(_ action: @escaping @Sendable (PostgresCommitted) -> Void) {
        actions.append(action)
    }

    /// Actions for after the commit that `body` asked for go with the rest of what it did.
    func savepoint<R>(_ body: () throws -> R) throws -> R {
        let actionsBefore = actions.count
        savepoints += 1
        let name = "settle_\(savepoints)"
        defer { savepoints -= 1 }
        _ = add(Statement("SAVEPOINT \(name)"))
        do {
            let value = try body()
            _ = add(Statement("RELEASE SAVEPOINT \(name)"))
            return value
        } catch {
            guard failure == nil else { throw error }
            actions.removeSubrange(actionsBefore...)
            _ = add(Statement("ROLLBACK TO SAVEPOINT \(name)"))
            _ = add(Statement("RELEASE SAVEPOINT \(name)"))
            throw error
        }
    }

    /// Runs a text of several statements, after all that is queued.
    func script(_ sql: String) throws(PostgresError) {
        try flush(isBegin: true)
        do throws(PostgresError) {
            try worker.connection.script(sql)
            guard worker.connection.isInTransaction else {
                throw PostgresError(.server, "the text ended the transaction it ran in")
            }
        } catch {
            failure = error
            throw error
        }
    }

    /// Sends what is queued with the ending. After an error the transaction is not committed, or not surely.
    func finish(_ ending: PostgresEnding) throws(PostgresError) {
        try flush(ending)
        guard ending == .commit else { return }
        let committed = PostgresCommitted(id: id, results: results)
        for action in actions { action(committed) }
    }

    /// Sends all that is queued in one round trip.
    ///
    /// A transaction that is sent as a whole and holds nothing but plain queries and row changes needs no BEGIN and
    /// COMMIT: up to the sync it is one implicit transaction (PostgreSQL documentation, 55.2.3), which also rolls
    /// itself back and so gives its locks free a round trip earlier.
    private func flush(_ ending: PostgresEnding? = nil, isBegin: Bool = false) throws(PostgresError) {
        if let failure { throw failure }
        let isFirst = !hasBegun
        if isFirst, queued.isEmpty, !isBegin, ending == nil || ending == .commit { return }
        let isImplicit = isFirst && ending == .commit && queued.allSatisfy(\.isPlain)
        var batch: [Statement] = []
        batch.reserveCapacity(queued.count + 2)
        if isFirst, !isImplicit { batch.append(.begin) }
        let firstIndex = batch.count
        batch += queued
        var commitPoint: Int?
        switch ending {
        case nil: break
        case .commit where isImplicit:
            commitPoint = batch.count
        case .commit:
            commitPoint = batch.count
            batch.append(.commit)
        case .prepare(let gid):
            commitPoint = batch.count
            batch.append(.prepareTransaction(gid: gid))
        }
        hasBegun = true
        do throws(PostgresError) {
            let exchange = try worker.exchange(
                batch, commitPoint: commitPoint, isFirst: isFirst, isPrepared: isPrepared)
            if let error = exchange.error(commitPoint: commitPoint) { throw error }
            let ticket = results.count - queued.count
            for index in queued.indices { results[ticket + index] = exchange.results[firstIndex + index] }
            queued.removeAll(keepingCapacity: true)
            try checkTag(exchange.results.last ?? nil, ending, isImplicit: isImplicit)
        } catch {
            failure = error
            throw error
        }
    }

    /// COMMIT in a failed transaction succeeds by rolling back, and only its tag says so.
    private func checkTag(
        _ result: ResultHandle?, _ ending: PostgresEnding?, isImplicit: Bool
    ) throws(PostgresError) {
        guard ending != nil, !isImplicit, result?.commandTag == "ROLLBACK" else { return }
        throw PostgresError(.server, "the server rolled the transaction back instead of committing it")
    }

    private var lostResult: PostgresError {
        PostgresError(.invalidParameter, "the statement was not sent")
    }
}
