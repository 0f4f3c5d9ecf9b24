/// One type of task: what it is called, where its messages go, what its receiver is told and what it answers.
///
/// Sender and receiver share it: a file that both compile.
///
///     let sendMail = TaskType("sendmail", in: "mailer", body: Mail.self)
///     let charge = TaskType("charge", in: "wallet", body: Charge.self, answer: Receipt.self)
public struct TaskType<Body: Codable & Sendable, Answer: Codable & Sendable>: Sendable {
    /// Where its messages go.
    public let route: TaskRoute

    /// As it stands in the message.
    public var name: String { route.taskType }

    /// - Parameters:
    ///   - name: as it stands in the message; also its routing key.
    ///   - namespace: the name of the exchange, and what the names of its queues begin with. Applications with
    ///     different ones never meet at a broker.
    ///   - body: what the receiver is told.
    ///   - answer: what the receiver says when it has done it.
    public init(_ name: String, in namespace: String, body: Body.Type = Body.self, answer: Answer.Type) {
        self.init(
            route: TaskRoute(taskType: name, exchange: namespace, queuePrefix: "\(namespace)."), body: body,
            answer: answer)
    }

    /// A type whose names at the broker are given.
    public init(route: TaskRoute, body: Body.Type = Body.self, answer: Answer.Type) {
        self.route = route
    }
}

extension TaskType where Answer == Done {
    /// A type that is answered with no more than that it is done.
    public init(_ name: String, in namespace: String, body: Body.Type = Body.self) {
        self.init(name, in: namespace, body: body, answer: Done.self)
    }

    /// The same with its names at the broker given.
    public init(route: TaskRoute, body: Body.Type = Body.self) {
        self.init(route: route, body: body, answer: Done.self)
    }
}

/// The answer of a task that has nothing to say but that it is done.
public struct Done: Codable, Sendable, Equatable {
    /// Nothing.
    public init() {}
}

/// What a receiver throws when it will never do a task: remembered, and told to its sender.
public struct TaskRefusal: Error, Sendable, Equatable {
    /// For people.
    public let reason: String

    /// - Parameter reason: for people; not empty.
    public init(_ reason: String) {
        self.reason = reason.isEmpty ? "refused without a reason" : reason
    }
}

/// What a receiver said of a task, with the answer of its type.
public enum TaskResult<Answer: Sendable>: Sendable {
    /// It was done.
    case finished(Answer)
    /// It cannot be done; the reason is for people.
    case rejected(reason: String)
}

extension TaskResult: Equatable where Answer: Equatable {}
