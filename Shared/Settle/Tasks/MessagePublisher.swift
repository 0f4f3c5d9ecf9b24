public import RabbitMQ

/// What tasks, answers and dead letters need of a broker.
public protocol MessagePublisher: Sendable {
    /// Whether publishing has a chance at all right now.
    var isUp: Bool { get }
    /// Publishes and waits for the broker's word on each message, in order.
    func publish(_ messages: [OutboundMessage]) async -> [PublishOutcome]
}

extension RabbitMQPublisher: MessagePublisher {}
