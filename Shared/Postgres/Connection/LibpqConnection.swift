import CSettleLibpq
import Foundation

/// Owns one `PGconn`, non-blocking and in pipeline mode; used by one thread only.
///
/// Non-blocking, since a blocking libpq that sends a long pipeline while the server already answers would leave both
/// waiting for the other to read (PostgreSQL documentation, 34.5.1.1).
@safe
final class LibpqConnection {
    /// Waits on the socket are cut into slices of this many milliseconds, to see that the process gives up.
    private static let slice: Int32 = 100

    private let parameters: [String: String]
    private let patience: Duration
    /// How long the server may need for one statement; zero for no limit.
    var statementTimeout = Duration.zero
    private let isAborted: () -> Bool
    /// Safe: opened and closed by this class alone and never handed out.
    private var handle: OpaquePointer?
    /// For how long the server has not been heard of while something was waited for.
    private var silence = Duration.zero
    /// The server was asked to stop what it does: it has `patience` left to answer.
    private var isCancelled = false

    init(_ configuration: PostgresConfiguration, isAborted: @escaping () -> Bool) {
        parameters = configuration.settings.parameters(for: configuration)
        patience = configuration.patience
        self.isAborted = isAborted
    }

    deinit {
        unsafe PQfinish(handle)
    }

    /// Whether it was usable when last looked at.
    var isOpen: Bool {
        unsafe handle != nil && PQstatus(handle) == CONNECTION_OK
    }

    /// Whether a transaction stands open (or failed) on the server.
    var isInTransaction: Bool {
        unsafe handle != nil && PQtransactionStatus(handle) != PQTRANS_IDLE
    }

    /// libpq's last complaint.
    var message: String {
        unsafe handle.map { unsafe String(cString: PQerrorMessage($0)).onOneLine } ?? "not connected"
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
        guard isOpen else { throw closed(.unavailable) }
        // The server was told to send errors only, and libpq would print anything else to standard error.
        unsafe PQsetNoticeProcessor(opened, { _, _ in }, nil)
        try enterPipeline()
    }

    /// Ends it; the server rolls back what is open.
    func close() {
        unsafe PQfinish(handle)
        unsafe handle = nil
    }

    /// Closes it and answers the error that says why, `.connectionLost` unless told otherwise.
    func closed(_ kind: PostgresError.Kind = .connectionLost, reason: String? = nil) -> PostgresError {
        let error = PostgresError(kind, reason ?? message)
        close()
        return error
    }

    /// Reads what the server sent unasked, which an idle connection is told its end by; false when it is closed.
    func checkIdle() -> Bool {
        while isOpen, unsafe poll(PQsocket(handle), Int16(POLLIN), 0) != 0 {
            guard unsafe PQconsumeInput(handle) == 1 else { return false }
            // Parses what was read; idle, there is never a result.
            _ = unsafe PQisBusy(handle)
        }
        return isOpen
    }
}

// MARK: - Sending

extension LibpqConnection {
    func enterPipeline() throws(PostgresError) {
        guard isOpen, unsafe PQenterPipelineMode(handle) == 1, unsafe PQsetnonblocking(handle, 1) == 0 else {
            throw closed(.unavailable)
        }
    }

    /// Queues Parse of `sql` under `name`.
    func sendParse(_ name: String, _ sql: String) throws(PostgresError) {
        guard unsafe PQsendPrepare(handle, name, sql, 0, nil) == 1 else { throw closed() }
    }

    /// Queues the execution of what was parsed under `name`.
    func sendExecute(_ name: String, _ parameters: ParameterBuffer) throws(PostgresError) {
        let sent = unsafe parameters.withPointers { count, values in
            unsafe PQsendQueryPrepared(handle, name, count, values, nil, nil, 0)
        }
        guard sent == 1 else { throw closed() }
    }

    /// Queues a statement that is not kept prepared.
    func sendOnce(_ sql: String, _ parameters: ParameterBuffer) throws(PostgresError) {
        let sent = unsafe parameters.withPointers { count, values in
            unsafe PQsendQueryParams(handle, sql, count, nil, values, nil, nil, 0)
        }
        guard sent == 1 else { throw closed() }
    }

    /// Queues the end of a pipeline.
    func sendSync() throws(PostgresError) {
        guard unsafe PQpipelineSync(handle) == 1 else { throw closed() }
    }

    /// Leaves pipeline mode and queues a text of several statements by the simple protocol.
    func sendScript(_ sql: String) throws(PostgresError) {
        (silence, isCancelled) = (.zero, false)
        guard unsafe PQexitPipelineMode(handle) == 1, unsafe PQsendQuery(handle, sql) == 1 else { throw closed() }
    }

    /// Sends all that is queued, reading meanwhile, so that the server is never stuck with replies nobody takes.
    ///
    /// A broken connection is not reported here: the server's last word on it may be waiting to be read.
    func flush(replies: Int) throws(PostgresError) {
        (silence, isCancelled) = (.zero, false)
        while unsafe PQflush(handle) == 1 {
            let ready = try wait(for: Int16(POLLIN | POLLOUT), replies: replies)
            if ready & Int16(POLLIN) != 0, unsafe PQconsumeInput(handle) != 1 { return }
        }
    }
}

// MARK: - Receiving

extension LibpqConnection {
    /// The next result, or `nil` after the last one of a command.
    ///
    /// - Parameter replies: how many statements the server may still take its time for; 0 for no limit.
    func nextResult(replies: Int) throws(PostgresError) -> ResultHandle? {
        while unsafe PQisBusy(handle) == 1 {
            _ = try wait(for: Int16(POLLIN), replies: replies)
            // TLS decrypts up to 16 KiB at once and libpq takes at least 8 of them a time; bytes that stay in between
            // would not wake `poll`. A failure shows as the next result.
            let reads = unsafe PQsslInUse(handle) == 1 ? 3 : 1
            guard (0..<reads).allSatisfy({ _ in unsafe PQconsumeInput(handle) == 1 }) else { break }
        }
        return unsafe PQgetResult(handle).map { unsafe ResultHandle($0) }
    }

    /// Reads what a COPY to the client sends, and drops it, as a script drops the rows of a SELECT.
    func skipCopy() throws(PostgresError) {
        var row: UnsafeMutablePointer<CChar>?
        while true {
            // Safe: what libpq allocated for a row is freed before the next one is asked for.
            let length = unsafe PQgetCopyData(handle, &row, 1)
            if unsafe row != nil { unsafe PQfreemem(row) }
            unsafe row = nil
            if length < 0 { return }
            guard length == 0 else { continue }
            _ = try wait(for: Int16(POLLIN), replies: 0)
            guard unsafe PQconsumeInput(handle) == 1 else { throw closed() }
        }
    }

    /// Ends a COPY from the client with an error.
    func refuseCopy(_ reason: String) throws(PostgresError) {
        guard unsafe PQputCopyEnd(handle, reason) == 1 else { throw closed() }
        try flush(replies: 0)
    }

    /// Waits until the socket is ready, at most as long as the server may need for so many replies. Past that the server is
    /// told to stop, which a working one answers: then it is known what became of the statements.
    private func wait(for events: Int16, replies: Int) throws(PostgresError) -> Int16 {
        let limit = statementTimeout > .zero && replies > 0 ? statementTimeout * replies + patience : nil
        while true {
            let ready = unsafe poll(PQsocket(handle), events, Self.slice)
            if ready != 0 {
                silence = .zero
                return ready
            }
            silence += .milliseconds(Int64(Self.slice))
            if isAborted() {
                cancel()
                throw closed(reason: "the process gives up its connections")
            }
            if let limit, silence > (isCancelled ? patience : limit) {
                guard !isCancelled, cancel() else {
                    throw closed(reason: "the server did not answer within \(limit)")
                }
                (silence, isCancelled) = (.zero, true)
            }
            // What TLS has decrypted already, `poll` does not know of.
            if unsafe PQsslInUse(handle) == 1 { return events & Int16(POLLIN) }
        }
    }

    /// Has the server stop what it does here; false when it did not take that in time, and then the connection must be
    /// closed: the request may still be on its way, and would hit whatever is sent next.
    @discardableResult
    private func cancel() -> Bool {
        unsafe CancelRequest(of: handle)?.send(within: .seconds(1)) ?? false
    }

    /// The events that are there, 0 for none within the time; a signal counts as none.
    private func poll(_ socket: Int32, _ events: Int16, _ milliseconds: Int32) -> Int16 {
        var descriptor = pollfd(fd: socket, events: events, revents: 0)
        return unsafe systemPoll(&descriptor, 1, milliseconds) > 0 ? descriptor.revents : 0
    }
}
