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
    public let routingKey: String
    /// The routing key of its answer.
    public let answerRoutingKey: String

    /// Queues are called `queuePrefix` + routing key; the routing keys are the type, and `finish` + the type.
    ///
    /// Two applications on one broker never meet when each has an exchange and a prefix of its own.
    public init(taskType: String, exchange: String, queuePrefix: String) {
        let answers = "finish" + taskType
        self.init(
            taskType: taskType, exchange: exchange, queue: queuePrefix + taskType, answerQueue: queuePrefix + answers,
            routingKey: taskType, answerRoutingKey: answers)
    }

    /// With all names the user's. No two routes of an exchange have a routing key in common, for a task or for an answer;
    /// and no two routes have a queue in common.
    public init(
        taskType: String, exchange: String, queue: String, answerQueue: String, routingKey: String,
        answerRoutingKey: String
    ) {
        self.taskType = taskType
        self.exchange = exchange
        self.queue = queue
        self.answerQueue = answerQueue
        self.routingKey = routingKey
        self.answerRoutingKey = answerRoutingKey
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
