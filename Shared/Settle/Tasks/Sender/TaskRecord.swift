import SettlePostgres

/// A task as operators and clients see it, live or archived.
public struct TaskRecord: Codable, Sendable, Equatable {
    /// The same id in `task` and `task_his`.
    public let id: Int64
    /// What it is about.
    public let businessKey: String
    /// What is to be done.
    public let taskType: String
    /// One of `TaskStatus`.
    public let status: String
    /// How many times it was sent, or claimed to be sent.
    public let attempts: Int
    /// Milliseconds since 1970.
    public let createTime: Int64
    /// Milliseconds since 1970.
    public let updateTime: Int64
    /// Milliseconds since 1970; nil while it is live.
    public let deleteTime: Int64?
    /// Why the broker or the receiver would not take it.
    public let errormsg: String?

    static let columns = """
        id, business_key, task_type, status, attempts, (extract(epoch FROM create_time) * 1000)::bigint,
        (extract(epoch FROM update_time) * 1000)::bigint, (extract(epoch FROM delete_time) * 1000)::bigint, errormsg
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
    }
}

extension TaskStore {
    /// The tasks about `businessKey`, live and archived, oldest first.
    public func tasks(about businessKey: String) async throws -> [TaskRecord] {
        try await database.query(
            """
            SELECT \(TaskRecord.columns) FROM task WHERE business_key = $1
            UNION ALL SELECT \(TaskRecord.columns) FROM task_his WHERE business_key = $1 ORDER BY 1
            """, [.text(businessKey)]
        ).map(TaskRecord.init(row:))
    }

    /// Up to `limit` tasks: those of one status, or all live ones. Live ones oldest first, archived ones newest first.
    public func tasks(status: TaskStatus?, limit: Int) async throws -> [TaskRecord] {
        let (table, order) =
            switch status {
            case .none, .pending, .parked: ("task", "id")
            case .finished, .rejected: ("task_his", "id DESC")
            }
        return try await database.query(
            """
            SELECT \(TaskRecord.columns) FROM \(table) WHERE $1::text IS NULL OR status = $1 ORDER BY \(order) LIMIT $2
            """, [status.map { .text($0.rawValue) } ?? .null, .int(limit)]
        ).map(TaskRecord.init(row:))
    }

    /// How many wait, and for how long.
    public func backlog() async throws -> TaskBacklog {
        let rows = try await database.query(
            """
            SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'parked'),
                   coalesce(extract(epoch FROM now() - min(create_time) FILTER (WHERE status = 'pending')), 0)::float8
            FROM task
            """)
        guard let row = rows.first else { return TaskBacklog(pending: 0, parked: 0, oldestAge: 0) }
        return TaskBacklog(
            pending: try row.decode(Int.self, at: 0), parked: try row.decode(Int.self, at: 1),
            oldestAge: try row.decode(Double.self, at: 2))
    }

    /// Makes a live task due now with all its attempts before it; false when there is no such live task.
    func makeDue(_ id: Int64) async throws -> Bool {
        let rows = try await database.query(
            """
            UPDATE task SET status = 'pending', attempts = 0, due_time = now(), update_time = now() WHERE id = $1
            RETURNING id
            """, [.int64(id)])
        return !rows.isEmpty
    }

    /// Makes up to `limit` parked tasks with an id above `last` due now, like `makeDue`; returns their ids. One that
    /// somebody holds is being answered right now.
    func makeParkedDue(of taskType: String?, after last: Int64, limit: Int) async throws -> [Int64] {
        try await database.query(
            """
            WITH parked AS (
                SELECT id FROM task
                WHERE status = 'parked' AND id > $1 AND ($2::text IS NULL OR task_type = $2)
                ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)
            UPDATE task SET status = 'pending', attempts = 0, due_time = now(), update_time = now()
            FROM parked WHERE task.id = parked.id RETURNING task.id
            """, [.int64(last), PostgresValue(taskType), .int(limit)]
        ).map { try $0.decode(Int64.self, at: 0) }
    }
}
