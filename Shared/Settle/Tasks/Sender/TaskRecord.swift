import SettlePostgres

/// A task as operators and clients see it, live or archived.
public struct TaskRecord: Codable, Sendable, Equatable {
    /// The same id in `task` and `task_his`.
    public let id: Int64
    /// What it is about.
    public let businessKey: String
    /// What is to be done.
    public let taskType: String
    /// One of `TaskState`.
    public let status: String
    /// How many times it was sent, or claimed to be sent.
    public let attempts: Int
    /// Milliseconds since 1970.
    public let createTime: Int64
    /// Milliseconds since 1970.
    public let updateTime: Int64
    /// Milliseconds since 1970; nil while it is live.
    public let deleteTime: Int64?
    /// Why the broker or the receiver would not take it, or why it was given up.
    public let errormsg: String?
    /// Milliseconds since 1970: when it is sent, or sent again; nil for what waits for something else.
    public let dueTime: Int64?
    /// See `TaskOptions.orderKey`.
    public let orderKey: String?
    /// Milliseconds since 1970: see `TaskOptions.expiresAt`.
    public let expiresAt: Int64?
    /// See `TaskOptions.uniqueKey`.
    public let uniqueKey: String?

    static let columns = """
        id, business_key, task_type, status, attempts, (extract(epoch FROM create_time) * 1000)::bigint,
        (extract(epoch FROM update_time) * 1000)::bigint, (extract(epoch FROM delete_time) * 1000)::bigint, errormsg,
        CASE WHEN status = 'pending' THEN (extract(epoch FROM due_time) * 1000)::bigint END, order_key,
        (extract(epoch FROM expires_at) * 1000)::bigint, unique_key
        """

    init(row: PostgresRow) throws {
        id = try row.decode(Int64.self, at: 0)
        businessKey = try row.decode(String.self, at: 1)
        taskType = try row.decode(String.self, at: 2)
        status = try row.decode(String.self, at: 3)
        attempts = try row.decode(Int.self, at: 4)
        createTime = try row.decode(Int64.self, at: 5)
        updateTime = try row.decode(Int64.self, at: 6)
        deleteTime = try row.decode(Int64?.self, at: 7)
        errormsg = try row.decode(String?.self, at: 8)
        dueTime = try row.decode(Int64?.self, at: 9)
        orderKey = try row.decode(String?.self, at: 10)
        expiresAt = try row.decode(Int64?.self, at: 11)
        uniqueKey = try row.decode(String?.self, at: 12)
    }
}
