import SettleCore
import Foundation
import Logging

/// The connection's thread: connect, serve until something breaks, back off, again.
struct RedisWorker {
    let configuration: RedisConfiguration
    let inbox: CommandQueue
    let logger: Logger

    func run() {
        Self.blockBrokenPipeSignal()
        let metrics = RedisMetrics(name: configuration.name)
        var outage = RedisOutage()
        while true {
            var servingSince: ContinuousClock.Instant?
            let delay: Duration
            do throws(RedisError) {
                let connection = try RedisConnection(configuration)
                servingSince = .now
                if outage.began() { logger.info("connected to Redis", metadata: metadata) }
                metrics.serving()
                inbox.setUp(true)
                try serve(connection)
                inbox.setUp(false)
                return
            } catch {
                inbox.setUp(false)
                metrics.away(wasServing: servingSince != nil)
                let end = outage.ended(afterServing: servingSince?.duration(to: .now))
                delay = end.delay
                if end.isWorthALine {
                    logger.warning("Redis cannot be used", metadata: metadata.merging(["error": "\(error)"]) { $1 })
                }
            }
            // Jobs are refused while it is down, so only a stop ends this wait early.
            if case .stop = inbox.take(timeout: delay) { return }
        }
    }

    private var metadata: Logger.Metadata {
        ["host": "\(configuration.host):\(configuration.port)", "client": "\(configuration.name)"]
    }

    /// Returns when asked to stop, throws when the connection is of no more use.
    private func serve(_ connection: RedisConnection) throws(RedisError) {
        while true {
            switch inbox.take(timeout: configuration.idleCheck) {
            case .stop: return
            case .nothing: try connection.probe()
            case .jobs(let jobs): try carryOut(jobs, on: connection)
            }
        }
    }

    /// Throws also when Redis says that it cannot be used: another connection may lead to another server, and begins
    /// with a probe.
    private func carryOut(_ jobs: [CommandQueue.Job], on connection: RedisConnection) throws(RedisError) {
        let replies: [RedisReply]
        do throws(RedisError) {
            replies = try connection.exchange(jobs.flatMap(\.commands))
        } catch {
            // Down before the answers, so that a caller that asks again at once is refused, not queued for nothing.
            inbox.setUp(false)
            for job in jobs { job.answer.resume(returning: .failure(error)) }
            throw error
        }
        let fault = replies.lazy.compactMap(\.fault).first
        if fault != nil { inbox.setUp(false) }
        var start = 0
        for job in jobs {
            let end = start + job.commands.count
            job.answer.resume(returning: .success(Array(replies[start..<end])))
            start = end
        }
        if let fault { throw .connectionLost(fault) }
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
