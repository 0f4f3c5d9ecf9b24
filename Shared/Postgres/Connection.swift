import CLibpq
import Foundation

/// One libpq connection, in pipeline mode and non-blocking for ever; used by one thread only.
///
/// Non-blocking, since a blocking libpq that sends a long pipeline while the server already answers would leave both
/// waiting for the other to read (PostgreSQL documentation, 34.5.1.1).
@safe
final class Connection {
    /// Waits on the socket are cut into slices of this many milliseconds, to see that the process gives up.
    private static let slice: Int32 = 100
    /// After this many bytes queued, what is queued is sent before more is added.
    private static let sendBatch = 256 * 1024

    private let parameters: [String: String]
    private let statementTimeout: Duration
    private let patience: Duration
    private let isAborted: () -> Bool
    /// Safe: opened and closed by this class alone and never handed out.
    private var handle: OpaquePointer?
    private var cache = StatementCache()
    private var buffer = ParameterBuffer()

    /// How many exchanges, each one round trip, have been made; for tests.
    private(set) var exchanges = 0

    init(_ configuration: PostgresConfiguration, isAborted: @escaping () -> Bool) {
        parameters = configuration.settings.parameters(for: configuration)
        statementTimeout = configuration.statementTimeout
        patience = configuration.patience
        self.isAborted = isAborted
    }

    deinit {
        unsafe PQfinish(handle)
    }

    /// Whether the connection was usable when last looked at.
    var isOpen: Bool {
        unsafe handle != nil && PQstatus(handle) == CONNECTION_OK
    }

    /// Whether a transaction stands open (or failed) on the server.
    var isInTransaction: Bool {
        unsafe handle != nil && PQtransactionStatus(handle) != PQTRANS_IDLE
    }

    /// Makes one attempt to connect, which blocks up to the connect timeout.
    func open() throws(PostgresError) {
        close()
        let (keys, values) = (Array(parameters.keys), Array(parameters.values))
        // Safe: both arrays of C strings live until PQconnectdbParams, which copies them, has returned.
        let opened = unsafe withCStrings(keys) { keys in
            unsafe withCStrings(values) { values in unsafe PQconnectdbParams(keys, values, 0) }
        }
        guard let opened = unsafe opened else { throw PostgresError(.unavailable, "out of memory") }
        unsafe handle = opened
        guard isOpen else { throw discard() }
        // The server was told to send errors only, and libpq would print anything else to standard error.
        unsafe PQsetNoticeProcessor(opened, { _, _ in }, nil)
        guard unsafe PQenterPipelineMode(opened) == 1, unsafe PQsetnonblocking(opened, 1) == 0 else {
            throw discard()
        }
    }

    /// Ends the connection; the server rolls back what is open.
    func close() {
        unsafe PQfinish(handle)
        unsafe handle = nil
        cache = StatementCache()
    }

    /// Reads what the server sent unasked, which an idle connection is told its end by; false when it is closed.
    func checkIdle() -> Bool {
        while isOpen, unsafe isReadable(PQsocket(handle)) {
            guard unsafe PQconsumeInput(handle) == 1 else { return false }
            // Parses what was read; idle, there is never a result.
            _ = unsafe PQisBusy(handle)
        }
        return isOpen
    }

    /// Sends all statements, which have been validated, and a sync, then reads all results: one round trip.
    func exchange(_ statements: [Statement]) -> Exchange {
        var exchange = Exchange(results: Array(repeating: nil, count: statements.count))
        guard checkIdle() else {
            exchange.loss = lastMessage
            return exchange
        }
        exchange.wasSent = true
        exchanges += 1
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
        guard checkIdle() else { throw PostgresError(.unavailable, lastMessage) }
        guard unsafe PQexitPipelineMode(handle) == 1, unsafe PQsendQuery(handle, sql) == 1 else { throw lost() }
        try flush(replies: 0)
        var failure: PostgresError?
        while let result = try nextResult(replies: 0) {
            if result.status == PGRES_FATAL_ERROR { failure = failure ?? PostgresError(result, statement: nil) }
            if result.status == PGRES_COPY_IN || result.status == PGRES_COPY_OUT {
                close()
                throw PostgresError(.invalidParameter, "COPY is not possible here")
            }
        }
        guard isOpen, unsafe PQenterPipelineMode(handle) == 1 else { throw lost() }
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

// MARK: - Sending

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
                try execute(name)
            case .parse(let name):
                guard unsafe PQsendPrepare(handle, name, statement.sql, 0, nil) == 1 else { throw lost() }
                commands.append(.parse(statement: index))
                queued += statement.sql.utf8.count
                try execute(name)
            case .oneShot:
                let sent = unsafe buffer.withPointers { count, values in
                    unsafe PQsendQueryParams(handle, statement.sql, count, nil, values, nil, nil, 0)
                }
                guard sent == 1 else { throw lost() }
                queued += statement.sql.utf8.count
            }
            commands.append(.execute(statement: index))
            queued += buffer.count + 64
            if queued >= Self.sendBatch {
                try flush(replies: statements.count)
                queued = 0
            }
        }
        guard unsafe PQpipelineSync(handle) == 1 else { throw lost() }
        try flush(replies: statements.count)
        return commands
    }

    private func execute(_ name: String) throws(PostgresError) {
        let sent = unsafe buffer.withPointers { count, values in
            unsafe PQsendQueryPrepared(handle, name, count, values, nil, nil, 0)
        }
        guard sent == 1 else { throw lost() }
    }

    /// Sends all that is queued, reading meanwhile, so that the server is never stuck with replies nobody takes.
    private func flush(replies: Int) throws(PostgresError) {
        while true {
            switch unsafe PQflush(handle) {
            case 0: return
            case 1:
                let ready = try wait(for: Int16(POLLIN | POLLOUT), replies: replies)
                if ready & Int16(POLLIN) != 0, unsafe PQconsumeInput(handle) != 1 { return }
            // The reason may be waiting in the input: reading finds it, or the end.
            default: return
            }
        }
    }
}

// MARK: - Receiving

extension Connection {
    private func receive(
        _ commands: [Command], _ statements: [Statement], into exchange: inout Exchange
    ) throws(PostgresError) {
        var next = 0
        // Each command is answered by a result and then a `nil`; the sync by a result alone.
        while true {
            guard let result = try nextResult(replies: commands.count - next + 1) else {
                guard isOpen, next < commands.count else { throw lost() }
                next += 1
                continue
            }
            let index = next < commands.count ? commands[next].statement : statements.count
            switch result.status {
            case PGRES_PIPELINE_SYNC:
                return
            case PGRES_PIPELINE_ABORTED:
                break
            case PGRES_FATAL_ERROR:
                guard result.sqlState != nil else {
                    // libpq's own report of a broken connection.
                    close()
                    throw PostgresError(.connectionLost, result.errorMessage)
                }
                let statement = index < statements.count ? statements[index].sql : statements.last?.sql
                exchange.failure = exchange.failure ?? Exchange.Failure(result, index: index, statement: statement)
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                // The protocol has no way past it but to end the connection.
                exchange.failure = Exchange.Failure(refusedCopy: statements[index].sql, index: index)
                close()
                throw PostgresError(.connectionLost, "closed to end a COPY")
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

    /// The next result, or `nil` after the last one of a command.
    private func nextResult(replies: Int) throws(PostgresError) -> ResultHandle? {
        while unsafe PQisBusy(handle) == 1 {
            _ = try wait(for: Int16(POLLIN), replies: replies)
            // A failure shows as the next result.
            guard unsafe PQconsumeInput(handle) == 1 else { break }
        }
        return unsafe PQgetResult(handle).map { unsafe ResultHandle($0) }
    }
}

// MARK: - The socket

extension Connection {
    /// Waits until the socket is ready, at most as long as the server may need for so many replies.
    private func wait(for events: Int16, replies: Int) throws(PostgresError) -> Int16 {
        let limit = statementTimeout > .zero && replies > 0 ? statementTimeout * replies + patience : nil
        var waited = Duration.zero
        while true {
            let ready = unsafe poll(PQsocket(handle), events, Self.slice)
            if ready != 0 { return ready }
            waited += .milliseconds(Int64(Self.slice))
            if isAborted() {
                close()
                throw PostgresError(.connectionLost, "the process gives up its connections")
            }
            if let limit, waited > limit {
                close()
                throw PostgresError(.connectionLost, "the server did not answer within \(limit)")
            }
        }
    }

    private func isReadable(_ socket: Int32) -> Bool {
        poll(socket, Int16(POLLIN), 0) != 0
    }

    /// The events that are there, 0 for none within the time; a signal counts as none.
    private func poll(_ socket: Int32, _ events: Int16, _ milliseconds: Int32) -> Int16 {
        var descriptor = pollfd(fd: socket, events: events, revents: 0)
        // Qualified by nothing but its arguments, the C function would be this method.
        return unsafe systemPoll(&descriptor, 1, milliseconds) > 0 ? descriptor.revents : 0
    }

    private var lastMessage: String {
        unsafe handle.map { unsafe String(cString: PQerrorMessage($0)).onOneLine } ?? "not connected"
    }

    private func lost() -> PostgresError {
        let message = lastMessage
        close()
        return PostgresError(.connectionLost, message)
    }

    private func discard() -> PostgresError {
        let message = lastMessage
        close()
        return PostgresError(.unavailable, message)
    }
}
