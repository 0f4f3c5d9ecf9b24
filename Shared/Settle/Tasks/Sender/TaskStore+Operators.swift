import SettlePostgres

// What operators and clients ask about tasks, and what operators do.
extension TaskStore {
    /// The tasks about `businessKey`, live and archived, oldest first.
    public func tasks(about businessKey: String) async throws -> [TaskRecord] {
        try await database.query(statements.about, [.text(businessKey)]).map(TaskRecord.init(row:))
    }

    /// Up to `limit` tasks: those of one status, or all live ones; of one type, or of all. Live ones oldest first, archived
    /// ones newest first.
    public func tasks(status: TaskState?, taskType: String? = nil, limit: Int) async throws -> [TaskRecord] {
        try await database.query(
            status?.isArchived ?? false ? statements.listArchived : statements.listLive,
            [PostgresValue(status?.rawValue), .int(limit), PostgresValue(taskType)]
        ).map(TaskRecord.init(row:))
    }

    /// How many wait, and for how long.
    public func backlog() async throws -> TaskBacklog {
        guard let row = try await database.query(statements.backlog).first else {
            return TaskBacklog(pending: 0, parked: 0, oldestAge: 0)
        }
        var backlog = TaskBacklog(
            pending: try row.decode(Int.self, at: 0), parked: try row.decode(Int.self, at: 1),
            oldestAge: try row.decode(Double.self, at: 2))
        backlog.delayed = try row.decode(Int.self, at: 3)
        backlog.waiting = try row.decode(Int.self, at: 4)
        backlog.oldestWaitingAge = try row.decode(Double.self, at: 5)
        backlog.heldLines = try row.decode(Int.self, at: 6)
        backlog.paused = try row.decode(Int.self, at: 7)
        backlog.pausedTypes = try row.decode(Int.self, at: 8)
        backlog.oldestPauseAge = try row.decode(Double.self, at: 9)
        return backlog
    }

    /// Makes a live task due now with all its attempts before it; false when there is none, or it waits behind another.
    func makeDue(_ id: Int64) async throws -> Bool {
        try await !database.query(statements.makeDue, [.int64(id)]).isEmpty
    }

    /// Makes up to `limit` parked tasks with an id above `last` due now, like `makeDue`; returns their ids.
    func makeParkedDue(of taskType: String?, after last: Int64, limit: Int) async throws -> [Int64] {
        try await database.query(
            statements.makeParkedDue, [.int64(last), PostgresValue(taskType), .int(limit)]
        ).map { try $0.decode(Int64.self, at: 0) }
    }
}
