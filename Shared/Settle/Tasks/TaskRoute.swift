public import SettleRabbitMQ

/// Where the messages of one type of task go, and where their answers come back.
public struct TaskRoute: Sendable, Hashable {
    /// The type, as it stands in the message: `addpoint`.
    public let taskType: String
    /// The exchange of both the task and its answer.
    public let exchange: String
    /// The queue its receivers read.
    public let queue: String
    /// The queue its senders read the answers from.
    public let answerQueue: String

    /// The routing key of the task.
    public var routingKey: String { taskType }
    /// The routing key of its answer.
    public var answerRoutingKey: String { "finish" + taskType }

    /// Queues are called `prefix` + routing key.
    public init(taskType: String, exchange: String, queuePrefix: String) {
        self.taskType = taskType
        self.exchange = exchange
        self.queue = queuePrefix + taskType
        self.answerQueue = queuePrefix + "finish" + taskType
    }
}

/// Where messages go that nobody can make sense of.
public struct DeadLetterRoute: Sendable, Hashable {
    /// The exchange they are published to, with the routing key they had.
    public let exchange: String
    /// The queue that keeps them for a person to look at.
    public let queue: String

    /// Both must exist in the broker before a service is ready; `topology` declares them.
    public init(exchange: String, queue: String) {
        self.exchange = exchange
        self.queue = queue
    }
}

extension Topology {
    /// All that the routes need, declared by sender and receiver alike: whichever comes first, nothing is unroutable.
    public static func tasks(
        _ routes: [TaskRoute], deadLetters: DeadLetterRoute, queueType: Topology.Queue.Kind = .classic
    ) -> Topology {
        var topology = Topology(
            exchanges: [Exchange(name: deadLetters.exchange, kind: .fanout)],
            queues: [Queue(name: deadLetters.queue, kind: queueType)],
            bindings: [Binding(queue: deadLetters.queue, exchange: deadLetters.exchange, routingKey: "")])
        for route in routes {
            topology = topology.merging(
                Topology(
                    exchanges: [Exchange(name: route.exchange, kind: .direct)],
                    queues: [
                        Queue(name: route.queue, kind: queueType), Queue(name: route.answerQueue, kind: queueType),
                    ],
                    bindings: [
                        Binding(queue: route.queue, exchange: route.exchange, routingKey: route.routingKey),
                        Binding(queue: route.answerQueue, exchange: route.exchange, routingKey: route.answerRoutingKey),
                    ]))
        }
        return topology
    }
}
