import SettleCore
import Logging
import ServiceLifecycle
import Synchronization

/// Runs a role's connection on a thread of its own, until it is told to stop and has finished.
struct ConnectionService {
    let configuration: RabbitMQConfiguration
    let logger: Logger
    /// Linux shows its first 15 characters.
    let threadName: String

    /// How often a write in progress is looked at, which waits for many seconds before it is late.
    private static let watchInterval: Duration = .seconds(1)
    /// For the broker to answer that the connection closes.
    private static let goodbye: Duration = .seconds(3)

    /// - Parameters:
    ///   - stop: tells the role to be finished by a time; called at a graceful shutdown, and with a time that is past
    ///     when the task is cancelled.
    ///   - makeRole: called on the thread, which the role never leaves.
    func run<Role: ConnectionRole & SendableMetatype>(
        wake: WakePipe, stop: @escaping @Sendable (ContinuousClock.Instant) -> Void,
        makeRole: @escaping @Sendable () -> Role
    ) async {
        let breaker = SocketBreaker()
        let loop = ConnectionLoop(configuration: configuration, breaker: breaker, wake: wake, logger: logger)
        let patience = configuration.shutdownTimeout
        let (ended, end) = AsyncStream.makeStream(of: Never.self)
        DedicatedThread.start(name: threadName) {
            loop.run(makeRole())
            end.finish()
        }
        // Not cancelled with this task: the thread needs it until its end.
        let watch = Task.detached {
            await Task.every(Self.watchInterval) { breaker.breakIfLate(at: .now) }
        }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                // A detached task, or the cancellation that it is to survive would end the wait.
                await Task.detached { for await _ in ended {} }.value
            } onGracefulShutdown: {
                let deadline = ContinuousClock.now + patience
                stop(deadline)
                breaker.end(by: deadline + Self.goodbye)
            }
        } onCancel: {
            stop(.now)
            breaker.end(by: .now)
        }
        watch.cancel()
    }
}
