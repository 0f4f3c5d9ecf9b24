import CSettleLibpq

/// One connection with its prepared statements: sends statements together and makes sense of the replies.
final class Connection {
    /// After this many bytes queued, what is queued is sent before more is added.
    private static let sendBatch = 256 * 1024

    /// A connection that once held a value of more bytes keeps buffers of that size, in libpq, for good.
    private static let bloat = 8 * 1024 * 1024

    private let libpq: LibpqConnection
    private let connectTimeout: Duration
    private var cache = StatementCache()
    private var buffer = ParameterBuffer()
    /// The server's limit of a statement; zero for none.
    private var statementTimeout = Duration.zero
    /// Whether a new connection would take much less memory.
    private(set) var isBloated = false

    init(_ configuration: PostgresConfiguration, isAborted: @escaping () -> Bool) {
        libpq = LibpqConnection(configuration, isAborted: isAborted)
        connectTimeout = configuration.connectTimeout
    }

    var isOpen: Bool { libpq.isOpen }
    var isInTransaction: Bool { libpq.isInTransaction }

    /// For statements that lift the server's limit themselves: the client then waits as long as it takes.
    var isPatient = false {
        didSet { libpq.statementTimeout = isPatient ? .zero : statementTimeout }
    }

    /// Makes one attempt to connect, which blocks up to the connect timeout, and pins the session's settings.
    func open() throws(PostgresError) {
        cache = StatementCache()
        isBloated = false
        try libpq.open()
        libpq.statementTimeout = max(connectTimeout, .seconds(2))
        let exchange = exchange([SessionSettings.pin])
        if let error = exchange.error(commitPoint: nil) {
            close()
            throw error.asKind(.unavailable)
        }
        // It selects one row with this column: an answer without it is no limit to go by.
        let row = exchange.results[0].flatMap { PostgresRows(result: $0).first }
        statementTimeout = .milliseconds((try? row?.decode(Int64.self, at: 0)) ?? 0)
        isPatient = false
    }

    func close() { libpq.close() }

    /// Whether an idle connection is still there.
    func checkIdle() -> Bool { libpq.checkIdle() }

    /// Sends all statements, which have been validated, and a sync, then reads all results: one round trip.
    ///
    /// - Parameter isPrepared: false to parse each one just before it is executed, which no plan is too old for.
    func exchange(_ statements: [Statement], isPrepared: Bool = true) -> Exchange {
        var exchange = Exchange(results: Array(repeating: nil, count: statements.count))
        guard checkIdle() else {
            exchange.loss = libpq.message
            return exchange
        }
        exchange.wasSent = true
        do throws(PostgresError) {
            let commands = try send(statements, isPrepared: isPrepared)
            try receive(commands, statements, into: &exchange)
        } catch {
            exchange.loss = error.serverMessage ?? "connection lost"
        }
        buffer.shrink()
        cache.forgetUnconfirmed()
        return exchange
    }

    /// Has everything prepared anew: where one plan is out of date, because of a migration perhaps, others are too.
    func forgetPrepared() {
        cache.forgetAll()
        // What fails here costs the server a little memory, for which no job shall fail: names are never used twice.
        _ = exchange([Statement("DEALLOCATE ALL", isPrepared: false)])
    }

    /// Runs a text of several statements by the simple protocol.
    func script(_ sql: String) throws(PostgresError) {
        guard checkIdle() else { throw PostgresError(.unavailable, libpq.message) }
        try libpq.sendScript(sql)
        try libpq.flush(replies: 0)
        var failure: PostgresError?
        while let result = try libpq.nextResult(replies: 0) {
            switch result.status {
            case PGRES_FATAL_ERROR: failure = failure ?? PostgresError(result, statement: nil)
            case PGRES_COPY_OUT, PGRES_COPY_BOTH: try libpq.skipCopy()
            case PGRES_COPY_IN:
                // The server takes it as an error of that statement, and so undoes what it would undo for any other.
                failure = failure ?? PostgresError(.invalidParameter, Statement.copyRefusal)
                try libpq.refuseCopy(Statement.copyRefusal)
            default: break
            }
        }
        guard isOpen else { throw libpq.closed() }
        try libpq.enterPipeline()
        if let failure { throw failure }
    }

    /// Drops prepared statements that have not been used for long.
    func tidy() {
        let names = cache.evict()
        guard !names.isEmpty else { return }
        // What fails here costs the server a little memory, for which no job shall fail.
        _ = exchange(names.map { Statement("DEALLOCATE \($0)", isPrepared: false) })
    }
}

// MARK: - A pipeline

extension Connection {
    /// What was put into the pipeline, in order; each is answered in its turn.
    private enum Command {
        case parse(statement: Int)
        case execute(statement: Int)

        /// Parse and execute at once.
        case oneShot(statement: Int)

        var statement: Int {
            switch self {
            case .parse(let statement), .execute(let statement), .oneShot(let statement): statement
            }
        }
    }

    private func send(_ statements: [Statement], isPrepared: Bool) throws(PostgresError) -> [Command] {
        var commands: [Command] = []
        commands.reserveCapacity(statements.count + 4)
        var queued = 0
        for (index, statement) in statements.enumerated() {
            buffer.fill(statement.parameters)
            if buffer.count > Self.bloat { isBloated = true }
            switch isPrepared && statement.isPrepared ? cache.use(statement.sql) : .oneShot {
            case .prepared(let name):
                try libpq.sendExecute(name, buffer)
                commands.append(.execute(statement: index))
            case .parse(let name):
                try libpq.sendParse(name, statement.sql)
                commands.append(.parse(statement: index))
                try libpq.sendExecute(name, buffer)
                commands.append(.execute(statement: index))
            case .oneShot:
                try libpq.sendOnce(statement.sql, buffer)
                commands.append(.oneShot(statement: index))
            }
            queued += buffer.count + statement.sql.utf8.count
            if queued >= Self.sendBatch {
                try libpq.flush(replies: statements.count)
                queued = 0
            }
        }
        try libpq.sendSync()
        try libpq.flush(replies: statements.count)
        return commands
    }

    private func receive(
        _ commands: [Command], _ statements: [Statement], into exchange: inout Exchange
    ) throws(PostgresError) {
        var next = 0
        // Each command is answered by a result and then a `nil`; the sync by a result alone.
        while true {
            guard let result = try libpq.nextResult(replies: commands.count - next + 1) else {
                // Where the commit at the sync fails, libpq ends that error like a command's, and the sync follows.
                guard isOpen, next < commands.count || exchange.failure?.index == statements.count else {
                    throw libpq.closed()
                }
                next += 1
                guard next <= commands.count + 1 else { throw libpq.closed() }
                continue
            }
            let index = next < commands.count ? commands[next].statement : statements.count
            switch result.status {
            case PGRES_PIPELINE_SYNC: return
            case PGRES_PIPELINE_ABORTED: break
            case PGRES_FATAL_ERROR:
                // Without a code it is libpq's own report of a broken connection.
                guard result.sqlState != nil else { throw libpq.closed(reason: result.errorMessage) }
                let statement = index < statements.count ? statements[index].sql : statements.last?.sql
                var failure = Exchange.Failure(result, index: index, statement: statement)
                // Of anything else it is the statement's own error, which would come again.
                if next < commands.count, case .execute = commands[next] {
                    failure.isStalePlan = result.isStalePlan
                }
                exchange.failure = exchange.failure ?? failure
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                // `Statement.validate` lets none through. The protocol has no way past it but to end the connection, and
                // the server may go on to commit what stands behind it: it counts as lost, not as refused.
                throw libpq.closed(reason: Statement.copyRefusal)
            default:
                guard next < commands.count else { break }
                if case .parse(let statement) = commands[next] {
                    cache.confirm(statements[statement].sql)
                } else {
                    exchange.results[index] = result
                    if result.rowSize > Self.bloat { isBloated = true }
                }
            }
        }
    }
}
