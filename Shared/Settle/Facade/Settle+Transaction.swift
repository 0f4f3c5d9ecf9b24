public import SettlePostgres

extension Settle {
    /// A local transaction of the application, in which tasks can be sent. Lent to a synchronous closure on a
    /// connection's thread; statements that are only added travel together with its BEGIN and COMMIT.
    public struct Transaction: ~Copyable {
        /// The same transaction, for code that knows nothing of tasks.
        public let postgres: PostgresTransaction
        private let sender: Sender

        init(_ transaction: borrowing PostgresTransaction, _ sender: Sender) {
            postgres = transaction.lent
            self.sender = sender
        }

        /// Queues a statement without waiting for it.
        @discardableResult
        public func add(_ sql: String, _ parameters: [PostgresValue] = []) -> PostgresTicket {
            postgres.add(sql, parameters)
        }

        /// Sends all that is queued together with this statement and waits for its rows: one round trip.
        public func query(_ sql: String, _ parameters: [PostgresValue] = []) throws -> PostgresRows {
            try postgres.query(sql, parameters)
        }

        /// The rows of a statement added before.
        public func rows(of ticket: PostgresTicket) throws -> PostgresRows { try postgres.rows(of: ticket) }

        /// Has `action` run on the connection's thread right after the commit. It must not block.
        public func afterCommit(_ action: @escaping @Sendable (PostgresCommitted) -> Void) {
            postgres.afterCommit(action)
        }

        /// Sends a task if, and only if, this transaction commits.
        ///
        /// - Parameters:
        ///   - type: what is sent: one that the application said it sends.
        ///   - businessKey: what it is about, an order's id for instance; for people, and for looking tasks up.
        ///   - body: what its receiver needs to know.
        ///   - options: what else it asks for: a time, a place in a line, an end, to be the only one.
        ///   - traceParent: the W3C trace that it belongs to; the current one when left out.
        /// - Returns: what tells whether it was added: there may be one with its unique key already.
        /// - Throws: `UnknownTaskType` when the application did not say that it sends such tasks: nobody would take the
        ///   answer. `InvalidTaskOptions`.
        @discardableResult
        public func send<Body, Answer>(
            _ type: TaskType<Body, Answer>, businessKey: String, _ body: Body, options: TaskOptions = .none,
            traceParent: String? = TraceHeader.current()
        ) throws -> TaskTicket {
            guard sender.registry.sends(type.route) else { throw UnknownTaskType(name: type.name) }
            return sender.outbox.add(
                try TaskDraft(
                    type.route, businessKey: businessKey, body: body, traceParent: traceParent, options: options),
                in: postgres)
        }

        /// What became of a task that was added, once the statements so far are done: waits for them.
        public func addition(of ticket: TaskTicket) throws -> TaskAddition {
            // One that was sent by itself.
            try ticket.additions(in: postgres).first ?? .exists(nil)
        }
    }

    /// What a transaction needs to send tasks.
    struct Sender: Sendable {
        let outbox: Outbox
        let registry: Registry
    }

    var sender: Sender { Sender(outbox: outbox, registry: registry) }

    /// Runs a local transaction of the application, once its tables are there.
    ///
    /// `body` must not block, and may be run again before anything is committed: see `PostgresDatabase.transaction`.
    ///
    /// - Throws: what `body` throws; `PostgresError`. After `.commitUnknown` it is either committed or not.
    @discardableResult
    public func transaction<R: Sendable>(
        _ body: @escaping @Sendable (borrowing Transaction) throws -> R
    ) async throws -> R {
        try await waitUntilMigrated()
        return try await database.transaction { [sender] in try body(Transaction($0, sender)) }
    }
}

/// A task was sent of a type that the application did not say it sends: see `Settle.sends` and `Settle.answers`.
public struct UnknownTaskType: Error, Sendable, CustomStringConvertible {
    /// The type.
    public let name: String
    /// For a developer.
    public var description: String {
        "nothing was said of sending tasks of type '\(name)': call sends or answers first"
    }
}
