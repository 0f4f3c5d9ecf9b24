import SettleRabbitMQ

/// Where the messages of one type go that a message centre keeps.
public struct MessageRoute: Sendable, Hashable {
    /// The type, for people and for keys that sign: `deductstock`.
    public let type: String
    /// The exchange that the centre publishes to.
    public let exchange: String
    /// The key that it publishes with.
    public let routingKey: String
    /// The queue that its consumers read.
    public let queue: String

    /// No two routes of an exchange have a routing key in common, and no two routes a queue; those of tasks neither.
    public init(type: String, exchange: String, routingKey: String, queue: String) {
        self.type = type
        self.exchange = exchange
        self.routingKey = routingKey
        self.queue = queue
    }
}

extension Topology {
    /// What consumers declare. The centre declares nothing: it does not know what it will be asked to send.
    static func messages(_ routes: [MessageRoute], queueType: Topology.Queue.Kind) -> Topology {
        Topology(
            exchanges: routes.map { Exchange(name: $0.exchange, kind: .direct) },
            queues: routes.map { Queue(name: $0.queue, kind: queueType) },
            bindings: routes.map { Binding(queue: $0.queue, exchange: $0.exchange, routingKey: $0.routingKey) })
    }
}
