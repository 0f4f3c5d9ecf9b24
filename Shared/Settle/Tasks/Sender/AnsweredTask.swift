import SettlePostgres

/// How a task came to its end.
///
/// One that was given up counts as rejected, with the reason: so what follows from a rejection, a compensation as a rule,
/// happens for it, too. But nobody knows whether it was done, if it had been sent: its message may still be applied. Who
/// must tell the two apart asks for this.
public enum TaskEnd: String, Sendable {
    /// Its receiver has done it, or has refused.
    case answered
    /// Nobody answered in time: see `TaskOptions.expiresAt`.
    case expired
    /// An operator has given it up.
    case discarded
}

/// A task that was answered just now, or given up, for what follows from it.
public struct AnsweredTask: Sendable {
    /// The task's id.
    public let id: Int64
    /// What was to be done.
    public let taskType: String
    /// What it was about.
    public let businessKey: String
    /// What the receiver was told, as JSON.
    public let requestBody: String
    /// The receiver's word.
    public let answer: TaskAnswer
    /// The trace that it belongs to.
    public let traceParent: String?
    /// Whether that is the receiver's word at all.
    public let end: TaskEnd
    /// Its line, if it was in one.
    let orderKey: String?
    /// Seconds from the commit that wrote it, or from when its time came, to its archive.
    let age: Double

    /// Of `task_his`.
    static let columns = """
        id, task_type, business_key, request_body, errormsg, traceparent,
        extract(epoch FROM clock_timestamp() - greatest(create_time, not_before))::float8, order_key
        """

    package init(
        id: Int64, taskType: String, businessKey: String, requestBody: String, answer: TaskAnswer, traceParent: String?,
        end: TaskEnd = .answered, age: Double = 0
    ) {
        self.id = id
        self.taskType = taskType
        self.businessKey = businessKey
        self.requestBody = requestBody
        self.answer = answer
        self.traceParent = traceParent
        self.end = end
        self.age = age
        orderKey = nil
    }

    /// - Parameter bodies: what answers said beside that they finished, by the task's id.
    init(row: PostgresRow, bodies: [Int64: String] = [:], end: TaskEnd = .answered) throws {
        let id = try row.decode(Int64.self, at: 0)
        self.id = id
        taskType = try row.decode(String.self, at: 1)
        businessKey = try row.decode(String.self, at: 2)
        requestBody = try row.decode(String.self, at: 3)
        answer =
            try row.decode(String?.self, at: 4).map { .rejected(reason: $0) }
            ?? bodies[id].map { .answered(body: $0) } ?? .finished
        traceParent = try row.decode(String?.self, at: 5)
        age = try row.decode(Double.self, at: 6)
        orderKey = try row.decode(String?.self, at: 7)
        self.end = end
    }
}
