import SettleCore
public import Logging
public import ServiceLifecycle
import Synchronization

/// One connection to Redis on a thread of its own; what gathers while a batch is on its way goes out together.
///
/// While Redis is away `send` fails at once; the thread reconnects with capped, jittered back-off for ever.
public final class RedisClient: Service, Sendable {
    private let configuration: RedisConfiguration
    private let logger: Logger
    private let inbox: CommandQueue
    private let isStarted = Atomic(false)

    /// Does not connect yet: ``run()`` does.
    public init(_ configuration: RedisConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        inbox = CommandQueue(maxWaiting: configuration.maxWaiting, maxWaitingBytes: configuration.maxWaitingBytes)
    }

    /// Whether commands are accepted: there is a connection, and Redis takes writes.
    ///
    /// A reply that Redis cannot be used (such as READONLY, LOADING, NOAUTH, OOM) makes it false until a write works
    /// again; one that is the command's own fault (such as WRONGTYPE) does not. An idle client finds out within
    /// `idleCheck` plus the command time-out.
    public var isUp: Bool { inbox.isUp }

    /// Connects and serves until a graceful shutdown or cancellation; commands accepted before are answered first.
    public func run() async throws {
        guard !isStarted.exchange(true, ordering: .relaxed) else { throw RedisError.alreadyRunning }
        let (configuration, inbox, logger) = (configuration, inbox, logger)
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withCheckedContinuation { done in
                    DedicatedThread.start(name: "redis") {
                        RedisWorker(configuration: configuration, inbox: inbox, logger: logger).run()
                        done.resume()
                    }
                }
            } onGracefulShutdown: {
                inbox.stop()
            }
        } onCancel: {
            inbox.stop()
        }
    }

    /// One reply for each command, in order. Commands of one call are sent together, but are not a transaction.
    ///
    /// - Throws: ``RedisError``; a command that Redis itself refuses is not an error but ``RedisReply/error(_:)``.
    public func send(_ commands: [RedisCommand]) async throws(RedisError) -> [RedisReply] {
        if commands.isEmpty { return [] }
        guard commands.allSatisfy({ !$0.arguments.isEmpty }) else { throw .emptyCommand }
        return try await withCheckedContinuation { answer in
            inbox.add(CommandQueue.Job(commands: commands, answer: answer))
        }.get()
    }
}
