/// One transaction, lent to a synchronous closure that runs on the connection's thread.
///
/// Statements that are only added travel together with BEGIN and COMMIT: the whole transaction is one round trip.
/// After the first error every call throws that error, and the transaction is rolled back at the closure's end,
/// whether the closure lets the error out or not.
public struct PostgresTransaction: ~Copyable {
    let context: TransactionContext

    /// Queues a statement without waiting for it; it is sent with the next `query` or with COMMIT.
    @discardableResult
    public func add(_ sql: String, _ parameters: [PostgresValue] = []) -> PostgresTicket {
        context.add(Statement(sql, parameters))
    }

    /// Sends all that is queued together with this statement and waits for its rows: one round trip.
    public func query(_ sql: String, _ parameters: [PostgresValue] = []) throws -> PostgresRows {
        try context.rows(of: add(sql, parameters))
    }

    /// The rows of a statement added before; sends what is queued and waits when it has not been sent yet.
    public func rows(of ticket: PostgresTicket) throws -> PostgresRows {
        try context.rows(of: ticket)
    }

    /// Runs `body`; when it throws an error of its own, what it did is undone, what was done before it stays, and the
    /// error is thrown on. An error of the server fails the whole transaction, as everywhere.
    ///
    /// Costs no round trip: `SAVEPOINT` and its end travel with the statements.
    public func savepoint<R>(_ body: () throws -> R) throws -> R {
        try context.savepoint(body)
    }

    /// The same transaction once more, for a type that lends it under another name.
    package var lent: PostgresTransaction { PostgresTransaction(context: context) }

    /// Has `action` run on the connection's thread right after COMMIT succeeded and before `transaction` returns.
    /// It must not block. After PREPARE TRANSACTION, which commits nothing yet, it is not run.
    public func afterCommit(_ action: @escaping @Sendable (PostgresCommitted) -> Void) {
        context.afterCommit(action)
    }
}

/// Stands for the rows of a statement in a transaction.
public struct PostgresTicket: Sendable {
    let transaction: TransactionContext.ID
    let index: Int
}

/// A transaction that is committed: its rows may still be read.
public struct PostgresCommitted: Sendable {
    let id: TransactionContext.ID
    let results: [ResultHandle?]

    /// The rows of a statement of this transaction.
    public func rows(of ticket: PostgresTicket) throws -> PostgresRows {
        guard ticket.transaction == id, let result = results[ticket.index] else {
            throw PostgresError(.invalidParameter, "a ticket of another transaction")
        }
        return PostgresRows(result: result)
    }
}
