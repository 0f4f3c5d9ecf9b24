public import SettleRabbitMQ

/// What tasks, answers and dead letters need of a broker.
public protocol MessagePublisher: Sendable {
    /// Whether publishing has a chance at all right now: the broker is there, and it is not short of memory or disk.
    var takesMessages: Bool { get }
    /// Publishes and waits for the broker's word on each message, in order.
    func publish(_ messages: [OutboundMessage]) async -> [PublishOutcome]
}

extension RabbitMQPublisher: MessagePublisher {
    /// There is a connection, and the broker has not blocked it.
    public var takesMessages: Bool { isUp && !isBlocked }
}
