import SettlePostgres

/// A task that was answered just now, for what follows from it.
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
    /// Seconds from the commit that wrote it to its archive.
    let age: Double

    /// Of `task_his`.
    static let columns = """
        id, task_type, business_key, request_body, errormsg, traceparent,
        extract(epoch FROM clock_timestamp() - create_time)::float8
        """

    package init(
        id: Int64, taskType: String, businessKey: String, requestBody: String, answer: TaskAnswer, traceParent: String?,
        age: Double = 0
    ) {
        self.id = id
        self.taskType = taskType
        self.businessKey = businessKey
        self.requestBody = requestBody
        self.answer = answer
        self.traceParent = traceParent
        self.age = age
    }

    /// - Parameter bodies: what answers said beside that they finished, by the task's id.
    init(row: PostgresRow, bodies: [Int64: String]) throws {
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
    }
}
