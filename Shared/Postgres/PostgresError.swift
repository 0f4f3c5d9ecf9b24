/// What went wrong, in a form code can decide on.
///
/// `serverMessage`, `detail` and `statement` are for the operator's log: they may hold data of other users and never
/// go to a client.
public struct PostgresError: Error, Sendable {
    /// The kinds of failure, told apart by what has happened to the data.
    public enum Kind: Sendable, Equatable {
        /// No connection could be had: nothing was done.
        case unavailable
        /// Too many jobs wait, or this one waited too long: nothing was done.
        case overloaded
        /// The connection was lost before COMMIT was sent or reached: nothing is done.
        case connectionLost
        /// The connection was lost after COMMIT, PREPARE TRANSACTION or an autocommit statement was sent: it may be
        /// done or not.
        case commitUnknown
        /// The server refused a statement: nothing is done. `sqlState` says why.
        case server
        /// A value that cannot be sent, or a ticket of another transaction: nothing is done.
        case invalidParameter
        /// A column that is missing or does not hold what was asked for.
        case decoding
        /// The database is shutting down: nothing was done.
        case closed
    }

    /// What happened.
    public let kind: Kind
    /// The server's five-character code (PostgreSQL documentation, appendix A).
    public internal(set) var sqlState: String?
    /// The name of the violated constraint.
    public internal(set) var constraint: String?
    /// What the server, libpq or this module says about it. For operators only.
    public internal(set) var serverMessage: String?
    /// The server's detail line. For operators only.
    public internal(set) var detail: String?
    /// The SQL text of the statement that failed, without its parameters. For operators only.
    public internal(set) var statement: String?
    /// Nothing of the job was done, and another connection may do it: for this module only, a caller never sees it.
    var isWorthMoving = false
    /// A prepared plan was out of date: for this module only, unless it comes again in the second run.
    var isStalePlan = false

    init(_ kind: Kind, _ message: String? = nil, statement: String? = nil) {
        self.kind = kind
        self.serverMessage = message
        self.statement = statement
    }

    /// Whether the database's state is to blame and not the request: trying again later may succeed.
    ///
    /// Includes `.commitUnknown`, after which the effect may be there already.
    public var isUnavailable: Bool {
        switch kind {
        case .unavailable, .overloaded, .connectionLost, .commitUnknown, .closed: return true
        case .server:
            let state = sqlState ?? ""
            return state.hasPrefix("57P") || state.hasPrefix("53") || state.hasPrefix("08")
        case .invalidParameter, .decoding: return false
        }
    }

    /// Whether the transaction lost against a concurrent one (serialization failure or deadlock) and may succeed
    /// when it is run again.
    public var isSerializationConflict: Bool {
        sqlState == "40001" || sqlState == "40P01"
    }

    /// Whether a lock was not to be had in time: `lock_not_available` (55P03), or `query_canceled` (57014).
    ///
    /// The second is what PostgreSQL now and then makes of a `lock_timeout` that ends just as the lock is there, when the
    /// statement goes on to wait for another one (`ProcessInterrupts` in its `postgres.c`; with 2 ms, three times in 120,000
    /// timeouts). A statement timeout has that code, too.
    public var isLockTimeout: Bool {
        sqlState == "55P03" || sqlState == "57014"
    }
}

extension PostgresError: CustomStringConvertible {
    /// One line for the operator's log.
    public var description: String {
        var parts = ["\(kind)"]
        if let sqlState { parts.append(sqlState) }
        if let serverMessage { parts.append(serverMessage) }
        if let detail { parts.append("detail: \(detail)") }
        if let constraint { parts.append("constraint: \(constraint)") }
        if let statement { parts.append("statement: \(statement)") }
        return parts.joined(separator: "; ")
    }
}
