import CLibpq

/// One connection with its prepared statements: sends statements together and makes sense of the replies.
final class Connection {
    /// After this many bytes queued, what is queued is sent before more is added.
    private static let sendBatch = 256 * 1024

    private let libpq: LibpqConnection
    private var cache = StatementCache()
    private var buffer = ParameterBuffer()

    init(_ configuration: PostgresConfiguration, isAborted: @escaping () -> Bool) {
        libpq = LibpqConnection(configuration, isAborted: isAborted)
    }

    var isOpen: Bool { libpq.isOpen }
    var isInTransaction: Bool { libpq.isInTransaction }

    /// Makes one attempt to connect, which blocks up to the connect timeout.
    func open() throws(PostgresError) {
        cache = StatementCache()
        try libpq.open()
    }

    func close() { libpq.close() }

    /// Whether an idle connection is still there.
    func checkIdle() -> Bool { libpq.checkIdle() }

    /// Sends all statements, which have been validated, and a sync, then reads all results: one round trip.
    func exchange(_ statements: [Statement]) -> Exchange {
        var exchange = Exchange(results: Array(repeating: nil, count: statements.count))
        guard checkIdle() else {
            exchange.loss = libpq.message
            return exchange
        }
        exchange.wasSent = true
        do throws(PostgresError) {
            let commands = try send(statements)
            try receive(commands, statements, into: &exchange)
        } catch {
            exchange.loss = error.serverMessage ?? "connection lost"
        }
        cache.forgetUnconfirmed()
        if let failure = exchange.failure, failure.isStalePlan, failure.index < statements.count {
            cache.forget(statements[failure.index].sql)
        }
        return exchange
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
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                throw libpq.closed(.invalidParameter, reason: copyRefusal)
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

    private let copyRefusal = "COPY is not possible here"
}

// MARK: - A pipeline

extension Connection {
    /// What was put into the pipeline, in order; each is answered in its turn.
    private enum Command {
        case parse(statement: Int)
        case execute(statement: Int)

        var statement: Int {
            switch self {
            case .parse(let statement), .execute(let statement): statement
            }
        }
    }

    private func send(_ statements: [Statement]) throws(PostgresError) -> [Command] {
        var commands: [Command] = []
        commands.reserveCapacity(statements.count + 4)
        var queued = 0
        for (index, statement) in statements.enumerated() {
            buffer.fill(statement.parameters)
            switch statement.isPrepared ? cache.use(statement.sql) : .oneShot {
            case .prepared(let name):
                try libpq.sendExecute(name, buffer)
            case .parse(let name):
                try libpq.sendParse(name, statement.sql)
                commands.append(.parse(statement: index))
                try libpq.sendExecute(name, buffer)
            case .oneShot:
                try libpq.sendOnce(statement.sql, buffer)
            }
            commands.append(.execute(statement: index))
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
                guard isOpen, next < commands.count else { throw libpq.closed() }
                next += 1
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
                exchange.failure = exchange.failure ?? Exchange.Failure(result, index: index, statement: statement)
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                // The protocol has no way past it but to end the connection.
                let error = PostgresError(.invalidParameter, copyRefusal, statement: statements[index].sql)
                exchange.failure = Exchange.Failure(index: index, error: error, isFatal: false, isStalePlan: false)
                throw libpq.closed(reason: copyRefusal)
            default:
                guard next < commands.count else { break }
                if case .parse(let statement) = commands[next] {
                    cache.confirm(statements[statement].sql)
                } else {
                    exchange.results[index] = result
                }
            }
        }
    }
}
