import Base
import Foundation
import Logging

/// The connection's thread: connect, serve until something breaks, back off, again.
struct RedisWorker {
    let configuration: RedisConfiguration
    let inbox: RedisInbox
    let logger: Logger

    private static let backoff = Backoff(initial: .milliseconds(50), cap: .seconds(3))

    func run() {
        Self.blockBrokenPipeSignal()
        var failures = 0
        while true {
            do throws(RedisError) {
                let connection = try RedisConnection(configuration)
                logger.info("connected to Redis", metadata: ["host": "\(configuration.host):\(configuration.port)"])
                failures = 0
                inbox.setUp(true)
                try serve(connection)
                inbox.setUp(false)
                return
            } catch {
                inbox.setUp(false)
                failures += 1
                // Once per outage: a Redis that is away for an hour should not fill the log.
                if failures == 1 { logger.warning("Redis is away", metadata: ["error": "\(error)"]) }
            }
            // Jobs are refused while it is down, so only a stop ends this wait early.
            if case .stop = inbox.take(timeout: Self.backoff.delay(attempt: failures)) { return }
        }
    }

    /// Returns when asked to stop, throws when the connection is of no more use.
    private func serve(_ connection: RedisConnection) throws(RedisError) {
        while true {
            switch inbox.take(timeout: configuration.idleCheck) {
            case .stop: return
            case .nothing: _ = try connection.exchange([.ping])
            case .jobs(let jobs): try carryOut(jobs, on: connection)
            }
        }
    }

    private func carryOut(_ jobs: [RedisInbox.Job], on connection: RedisConnection) throws(RedisError) {
        do throws(RedisError) {
            let replies = try connection.exchange(jobs.flatMap(\.commands))
            var start = 0
            for job in jobs {
                let end = start + job.commands.count
                job.answer.resume(returning: .success(Array(replies[start..<end])))
                start = end
            }
        } catch {
            // Down before the answers, so that a caller that asks again at once is refused, not queued for nothing.
            inbox.setUp(false)
            for job in jobs { job.answer.resume(returning: .failure(error)) }
            throw error
        }
    }

    /// hiredis writes with `write`, which raises SIGPIPE on a connection that Redis has closed; its default action
    /// would end the process. The signal goes to the writing thread, so blocking it here is enough.
    private static func blockBrokenPipeSignal() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }
}
