public import Logging
public import ServiceLifecycle

/// Consumes queues over one connection that it keeps up, with a channel for each subscription.
public final class RabbitMQConsumer: Service, Sendable {
    private let configuration: RabbitMQConfiguration
    private let topology: Topology
    private let subscriptions: [Subscription]
    private let logger: Logger
    private let inbox = DeliveryQueue()

    /// - Parameter topology: declared on every new connection, and when a queue was deleted.
    public init(
        _ configuration: RabbitMQConfiguration, topology: Topology, subscriptions: [Subscription], logger: Logger
    ) {
        self.configuration = configuration
        self.topology = topology
        self.subscriptions = subscriptions
        self.logger = logger
    }

    /// Whether there is a connection and every subscription is in place.
    public var isUp: Bool { inbox.isUp }

    /// Keeps the subscriptions up until a graceful shutdown, which lets the handlers that run end and acknowledges what
    /// they did, or until cancelled. Once per object.
    ///
    /// - Throws: when the process has no file descriptors left, or it runs already.
    public func run() async throws {
        let wake = try WakePipe()
        guard inbox.attach(wake) else { throw AMQPError.unexpected("a second run of one consumer") }
        let (configuration, topology, subscriptions) = (configuration, topology, subscriptions)
        let (inbox, logger) = (inbox, logger)
        await ConnectionService(configuration: configuration, logger: logger, threadName: "amqp-consume").run(
            wake: wake, stop: { inbox.stop(by: $0) }
        ) {
            ConsumerRole(
                configuration, topology: topology, subscriptions: subscriptions, inbox: inbox, logger: logger)
        }
    }
}
