import SettleCore
import Foundation
import Logging

/// Keeps a connection up for a role until it is finished: connect, poll, read, work; on an error wait and do it again.
struct ConnectionLoop {
    let configuration: RabbitMQConfiguration
    let breaker: SocketBreaker
    let wake: WakePipe
    let logger: Logger

    /// A session that lasted for this long was a good one: the back-off starts from its beginning.
    private static let goodSession: Duration = .seconds(10)
    /// Frames read before the role gets to work again.
    private static let framesPerRound = 4096

    /// Blocks its thread until the role is finished.
    func run(_ role: some ConnectionRole) {
        keepUp(role)
        while !role.isFinished {
            sleep(.milliseconds(100), unless: { role.isFinished })
            role.workOffline()
        }
        role.closed(.stopped)
    }

    private func keepUp(_ role: some ConnectionRole) {
        var failures = 0
        while !role.isStopping {
            var upSince: ContinuousClock.Instant?
            do throws(AMQPError) {
                try session(role, &upSince)
                return
            } catch {
                role.closed(error)
                if role.isStopping { return }
                let wasGood = upSince.map { $0.duration(to: .now) >= Self.goodSession } ?? false
                failures = wasGood ? 1 : failures + 1
                let delay = configuration.backoff.delay(attempt: failures)
                logger.warning(
                    "no RabbitMQ connection; trying again",
                    metadata: [
                        "reason": "\(error.reason)", "broker": "\(configuration)", "attempt": "\(failures)",
                        "delay": "\(delay)",
                    ])
                sleep(delay, unless: { role.isStopping })
            }
        }
    }

    private func session(
        _ role: some ConnectionRole, _ upSince: inout ContinuousClock.Instant?
    ) throws(AMQPError) {
        let connection = try AMQPConnection(configuration, breaker: breaker)
        try role.opened(connection)
        upSince = .now
        logger.info("RabbitMQ connection up", metadata: ["broker": "\(configuration)"])
        while true {
            let isDrained = try read(from: connection, role)
            wake.clear()
            let next = try role.work(on: connection)
            if role.isFinished { break }
            if isDrained, !next.now, !connection.hasBufferedInput { wait(connection, next) }
        }
        connection.close(timeout: .seconds(2))
    }

    /// True when it read all that was there.
    private func read(from connection: AMQPConnection, _ role: some ConnectionRole) throws(AMQPError) -> Bool {
        for _ in 0..<Self.framesPerRound {
            guard let frame = try connection.nextFrame() else { return true }
            if case .connectionClosed(let code, let text) = frame.content {
                try connection.agreeToCloseConnection()
                throw .connectionClosed(code: code, text: text)
            }
            try role.received(frame, on: connection)
        }
        return false
    }

    private func wait(_ connection: AMQPConnection, _ next: NextWork) {
        var timeout = connection.pollInterval
        if let at = next.at { timeout = min(timeout, ContinuousClock.now.duration(to: at)) }
        let events = next.whenWritable ? POLLIN | POLLOUT : POLLIN
        var descriptors = [
            pollfd(fd: connection.descriptor, events: Int16(events), revents: 0),
            pollfd(fd: wake.reader, events: Int16(POLLIN), revents: 0),
        ]
        // An interrupted poll is one more round; a broken socket shows in the next read.
        _ = unsafe poll(&descriptors, 2, timeout.pollTimeout)
    }

    private func sleep(_ delay: Duration, unless isOver: () -> Bool) {
        let end = ContinuousClock.now + delay
        while !isOver() {
            let rest = ContinuousClock.now.duration(to: end)
            guard rest > .zero else { return }
            var descriptors = [pollfd(fd: wake.reader, events: Int16(POLLIN), revents: 0)]
            _ = unsafe poll(&descriptors, 1, rest.pollTimeout)
            wake.clear()
        }
    }
}

extension Duration {
    /// For `poll`: never negative, which is for ever.
    fileprivate var pollTimeout: Int32 { Int32(min(max(milliseconds, 0), 3_600_000)) }
}
