import SettleCore
import Logging

/// The life of one connection on its own thread: connect, do jobs, reconnect with back-off.
final class ConnectionWorker {
    /// An idle connection is looked at this often, so that `isUp` is the truth. No more often: with a dozen connections in
    /// each process this is most of what an idle one does.
    private static let idleCheckSeconds = 2.0
    /// After so many connections that were lost before a job could begin, the next one is opened anew for it.
    private static let maxMoves = 3
    private static let backoff = Backoff(initial: .milliseconds(100), cap: .seconds(5))

    let connection: Connection
    private let queue: JobQueue
    private let logger: Logger
    private let name: String
    private let size: Int
    /// Of the job in hand.
    var tries = Tries()
    /// Whether the queue has been told that this connection is open.
    private var isCounted = false

    init(_ configuration: PostgresConfiguration, queue: JobQueue, logger: Logger) {
        connection = Connection(configuration) { queue.isAborted }
        self.queue = queue
        self.logger = logger
        (name, size) = (configuration.name, configuration.connections)
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
    /// Sent a second time, on another connection if need be, when the server surely made nothing of them and nobody has
    /// seen a result of this job yet: a connection that died while idle, or a plan that a migration made stale, is
    /// nothing a caller should know of.
    func exchange(
        _ statements: [Statement], commitPoint: Int?, isFirst: Bool, isPrepared: Bool = true
    ) throws(PostgresError) -> Exchange {
        let exchange = connection.exchange(statements, isPrepared: isPrepared)
        guard isFirst, exchange.mayBeRepeated(commitPoint: commitPoint) else { return exchange }
        if exchange.loss == nil, exchange.failure?.isStalePlan == true {
            forgetPrepared()
            return connection.isOpen ? connection.exchange(statements, isPrepared: false) : exchange
        }
        if exchange.wasSent {
            guard !tries.wasSent else { return exchange }
            tries.wasSent = true
        }
        try replace()
        return connection.exchange(statements, isPrepared: isPrepared)
    }

    /// Runs a text of several statements; on a connection that died while idle, on a new one.
    func script(_ sql: String, isFirst: Bool) throws(PostgresError) {
        if isFirst, !connection.checkIdle() { try replace() }
        try connection.script(sql)
    }

    /// Has everything prepared anew, outside of a transaction.
    func forgetPrepared() {
        rollBack()
        if connection.isOpen { connection.forgetPrepared() }
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
                connection.isPatient = false
                if job.run(on: self) != nil, !queue.giveBack(job) {
                    // The others were lost just now, too: this one connects anew for it.
                    if let error = job.run(on: self), !queue.giveBack(job) { job.fail(error) }
                }
                // A BEGIN sent as an ordinary statement must not catch the next job.
                rollBack()
                connection.tidy()
                if connection.isOpen, connection.isBloated { renew() }
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

    /// Puts another connection in the place of one that was lost before the job in hand could begin: one of those that are
    /// up, by an error that moves the job, or else a new one.
    private func replace() throws(PostgresError) {
        close()
        var error = PostgresError(.unavailable, "the connection was lost while idle")
        // Others that are up now may be lost before the job comes to them: then `serve` has this one connect anew for it.
        error.isWorthMoving = canMove
        if !error.isWorthMoving {
            do throws(PostgresError) {
                return try open()
            } catch let failure {
                error = failure
                error.isWorthMoving = canMove
            }
        }
        tries.moves += 1
        throw error
    }

    private var canMove: Bool { tries.moves < Self.maxMoves && queue.isUp }

    /// Opens the connection anew, for the memory that the old one keeps. The queue does not see it away meanwhile.
    private func renew() {
        connection.close()
        // When it fails, the loop that tries again reports it.
        try? connection.open()
    }

    private func open() throws(PostgresError) {
        do {
            try connection.open()
        } catch {
            switch queue.attemptFailed(error) {
            case .away?: logger.warning("database unavailable", metadata: ["error": "\(error)"])
            case .incomplete(let open)?:
                logger.warning(
                    "some database connections cannot be opened",
                    metadata: ["pool": "\(name)", "open": "\(open)", "size": "\(size)", "error": "\(error)"])
            default: break
            }
            throw error
        }
        isCounted = true
        switch queue.connectionOpened() {
        case .back?: logger.info("database available")
        case .complete?: logger.info("all database connections are open", metadata: ["pool": "\(name)"])
        default: break
        }
    }

    private func close() {
        connection.close()
        if isCounted { queue.connectionClosed() }
        isCounted = false
    }
}
