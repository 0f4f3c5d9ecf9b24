/// The message that carries a task, and the message that answers it: the same fields both ways.
///
/// Times are milliseconds since 1970. Unknown fields are ignored, so that a peer may add its own.
public struct TaskMessage: Codable, Sendable, Equatable {
    /// The task's id in its sender's database.
    public var id: Int64
    /// When the sender wrote it.
    public var createTime: Int64
    /// When it last changed.
    public var updateTime: Int64
    /// What is to be done: `addpoint`.
    public var taskType: String
    /// The exchange it was published to.
    public var mqExchange: String
    /// The routing key it was published with.
    public var mqRoutingkey: String
    /// What the receiver needs to know: a JSON text inside the JSON.
    public var requestBody: String
    /// `pending` in a task; `finished` or `rejected` in an answer.
    public var status: String?
    /// Why it was rejected.
    public var errormsg: String?
    /// In an answer: what a type of task with an answer of its own says, a JSON text inside the JSON.
    public var answerBody: String?

    package init(
        id: Int64, createTime: Int64, updateTime: Int64, taskType: String, mqExchange: String, mqRoutingkey: String,
        requestBody: String, status: String? = nil, errormsg: String? = nil
    ) {
        self.id = id
        self.createTime = createTime
        self.updateTime = updateTime
        self.taskType = taskType
        self.mqExchange = mqExchange
        self.mqRoutingkey = mqRoutingkey
        self.requestBody = requestBody
        self.status = status
        self.errormsg = errormsg
    }
}

/// What a receiver says of a task.
public enum TaskAnswer: Sendable, Equatable {
    /// It was done, now or before.
    case finished
    /// It was done, now or before, and this is what there is to say: a JSON text.
    case answered(body: String)
    /// It cannot be done; the reason is for people.
    case rejected(reason: String)
}

extension TaskMessage {
    /// Reads a task as leniently as can be: its id, type and request are what a receiver cannot do without.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        id = try values.decode(Int64.self, forKey: .id)
        taskType = try values.decode(String.self, forKey: .taskType)
        requestBody = try values.decode(String.self, forKey: .requestBody)
        createTime = try values.decodeIfPresent(Int64.self, forKey: .createTime) ?? 0
        updateTime = try values.decodeIfPresent(Int64.self, forKey: .updateTime) ?? createTime
        mqExchange = try values.decodeIfPresent(String.self, forKey: .mqExchange) ?? ""
        mqRoutingkey = try values.decodeIfPresent(String.self, forKey: .mqRoutingkey) ?? taskType
        status = try values.decodeIfPresent(String.self, forKey: .status)
        errormsg = try values.decodeIfPresent(String.self, forKey: .errormsg)
        answerBody = try values.decodeIfPresent(String.self, forKey: .answerBody)
    }

    /// This task as its own answer.
    public func answered(_ answer: TaskAnswer, at milliseconds: Int64) -> TaskMessage {
        var message = self
        message.updateTime = milliseconds
        switch answer {
        case .finished:
            message.status = TaskState.finished.rawValue
            message.errormsg = nil
        case .answered(let body):
            message.status = TaskState.finished.rawValue
            message.errormsg = nil
            message.answerBody = body
        case .rejected(let reason):
            message.status = TaskState.rejected.rawValue
            message.errormsg = reason
        }
        return message
    }
}

/// The answer in a message, read as leniently as the contract says: a peer may echo the task it received.
struct AnswerMessage: Decodable, Sendable, Equatable {
    let id: Int64
    let taskType: String?
    let status: String?
    let errormsg: String?
    /// What the task was about, where the answer says it.
    let requestBody: String?
    /// When the task was written, where the answer says it.
    let createTime: Int64?
    /// What a type of task with an answer of its own says.
    let answerBody: String?

    private enum CodingKeys: CodingKey { case id, taskType, status, errormsg, requestBody, createTime, answerBody }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        id = try values.decode(Int64.self, forKey: .id)
        taskType = try values.decodeIfPresent(String.self, forKey: .taskType)
        status = try values.decodeIfPresent(String.self, forKey: .status)
        errormsg = try values.decodeIfPresent(String.self, forKey: .errormsg)
        answerBody = try values.decodeIfPresent(String.self, forKey: .answerBody)
        // These only tell whose task it is. A peer that writes them in another form, or leaves them out, is no stranger.
        requestBody = (try? values.decode(String.self, forKey: .requestBody)).flatMap { $0.isEmpty ? nil : $0 }
        createTime = (try? values.decode(Int64.self, forKey: .createTime)).flatMap { $0 == 0 ? nil : $0 }
    }

    /// Nil for a status that is no answer.
    var answer: TaskAnswer? {
        switch status.map(TaskState.init(rawValue:)) {
        case .none, .pending, .finished: answerBody.map { .answered(body: $0) } ?? .finished
        case .rejected: .rejected(reason: errormsg.flatMap { $0.isEmpty ? nil : $0 } ?? "rejected without a reason")
        case .parked, .waiting, .paused, .expired, .discarded, .some(.none): nil
        }
    }
}
