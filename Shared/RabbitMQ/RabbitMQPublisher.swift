public import Logging
public import ServiceLifecycle

/// Publishes with confirms over one connection that it keeps up.
///
/// Any number of tasks may publish at the same time; what gathers while the socket is busy goes out together.
public final class RabbitMQPublisher: Service, Sendable {
    private let configuration: RabbitMQConfiguration
    private let topology: Topology
    private let window: Int
    private let logger: Logger
    private let inbox: PublishQueue

    /// - Parameters:
    ///   - topology: declared on every new connection.
    ///   - window: the most messages that are unconfirmed at a time.
    public init(_ configuration: RabbitMQConfiguration, topology: Topology, window: Int = 2000, logger: Logger) {
        self.configuration = configuration
        self.topology = topology
        self.window = max(window, 1)
        self.logger = logger
        inbox = PublishQueue(maxWaiting: configuration.maxWaiting, maxBytes: configuration.maxWaitingBytes)
    }

    /// Whether there is a connection, blocked or not.
    public var isUp: Bool { inbox.isUp }

    /// Whether the broker takes no messages for now, being short of memory or disk. Until it does, `publish` answers
    /// `.notSent` at once.
    public var isBlocked: Bool { inbox.isBlocked }

    /// Keeps the connection up until a graceful shutdown, which waits for the confirms of what was taken in, or until
    /// cancelled. Once per object.
    ///
    /// - Throws: when the process has no file descriptors left, or it runs already.
    public func run() async throws {
        let wake = try WakePipe()
        guard inbox.attach(wake) else { throw AMQPError.unexpected("a second run of one publisher") }
        let (configuration, topology, window) = (configuration, topology, window)
        let (inbox, logger) = (inbox, logger)
        await ConnectionService(configuration: configuration, logger: logger, threadName: "amqp-publish").run(
            wake: wake, stop: { inbox.stop(by: $0) }
        ) {
            PublisherRole(configuration, topology: topology, window: window, inbox: inbox, logger: logger)
        }
    }

    /// Publishes `messages` in order and returns once each has an outcome, in the same order.
    ///
    /// That takes no longer than the confirm timeout twice: once to be sent, once to be confirmed. Cancelling the task does not end the wait:
    /// what is on its way cannot be called back. Beyond `maxWaiting` or `maxWaitingBytes`, and from a shutdown on, all
    /// are `.lost` at once, unsent.
    public func publish(_ messages: [OutboundMessage]) async -> [PublishOutcome] {
        let outcomes = messages.map { $0.refusal(maxMessage: configuration.maxMessage) }
        guard outcomes.contains(nil) else { return outcomes.compactMap(\.self) }
        return await withCheckedContinuation { continuation in
            let request = PublishRequest(
                messages: messages, outcomes: outcomes, sendBy: .now + configuration.confirmTimeout,
                continuation: continuation)
            guard let reason = inbox.offer(request) else { return }
            continuation.resume(returning: outcomes.map { $0 ?? .notSent(reason: reason) })
        }
    }
}
