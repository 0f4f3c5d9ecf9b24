import Base
import Logging

/// The life of one connection on its own thread: connect, do jobs, reconnect with back-off.
final class ConnectionWorker {
    /// An idle connection is looked at this often, so that `isUp` is the truth.
    private static let idleCheckSeconds = 0.5
    private static let backoff = Backoff(initial: .milliseconds(100), cap: .seconds(5))

    let connection: Connection
    private let queue: JobQueue
    private let logger: Logger
    /// Whether the queue has been told that this connection is open.
    private var isCounted = false

    init(_ configuration: PostgresConfiguration, queue: JobQueue, logger: Logger) {
        connection = Connection(configuration) { queue.isAborted }
        self.queue = queue
        self.logger = logger
    }

    /// Returns when the queue is stopped and empty.
    func run() {
        var failures = 0
        while true {
            do throws(PostgresError) {
                try open()
                failures = 0
                if serve() { return }
            } catch {
                // Without any connection the queue holds nothing now; else the others empty it.
                if queue.isStopped { return }
                failures += 1
                queue.pause(Self.backoff.delay(attempt: failures))
            }
        }
    }

    /// Sends the statements of one flush, which is one round trip.
    ///
    /// Sent a second time, on a new connection if need be, when the server surely made nothing of them and nobody has
    /// seen a result of this job yet: a connection that died while idle, or a plan that a migration made stale, is
    /// nothing a caller should know of.
    func exchange(_ statements: [Statement], commitPoint: Int?, isFirst: Bool) throws(PostgresError) -> Exchange {
        let exchange = connection.exchange(statements)
        guard isFirst, exchange.mayBeRepeated(commitPoint: commitPoint) else { return exchange }
        if exchange.loss == nil {
            rollBack()
        }
        if !connection.isOpen { try reopen() }
        return connection.exchange(statements)
    }

    /// Runs a text of several statements; on a connection that died while idle, on a new one.
    func script(_ sql: String, isFirst: Bool) throws(PostgresError) {
        if isFirst, !connection.checkIdle() { try reopen() }
        try connection.script(sql)
    }

    /// Ends an open transaction; a connection where that fails is closed, which ends it too.
    func rollBack() {
        guard connection.isOpen, connection.isInTransaction else { return }
        let exchange = connection.exchange([.rollback])
        if exchange.loss != nil || exchange.failure != nil { connection.close() }
    }

    /// Does jobs until the connection is lost (false) or the queue is finished (true).
    private func serve() -> Bool {
        while connection.isOpen {
            switch queue.next(within: Self.idleCheckSeconds) {
            case .job(let job):
                job.run(on: self)
                // A BEGIN sent as an ordinary statement must not catch the next job.
                rollBack()
                connection.tidy()
            case .idle:
                if !connection.checkIdle() { connection.close() }
            case .finished:
                close()
                return true
            }
        }
        close()
        logger.debug("database connection lost")
        return false
    }

    private func reopen() throws(PostgresError) {
        close()
        try open()
    }

    private func open() throws(PostgresError) {
        do {
            try connection.open()
        } catch {
            if queue.attemptFailed(error) {
                logger.warning("database unavailable", metadata: ["error": "\(error)"])
            }
            throw error
        }
        isCounted = true
        if queue.connectionOpened() { logger.info("database available") }
    }

    private func close() {
        connection.close()
        if isCounted { queue.connectionClosed() }
        isCounted = false
    }
}
