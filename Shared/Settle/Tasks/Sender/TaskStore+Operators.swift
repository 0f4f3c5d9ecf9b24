import SettlePostgres

// What operators and clients ask about tasks, and what operators do.
extension TaskStore {
    /// The tasks about `businessKey`, live and archived, oldest first.
    public func tasks(about businessKey: String) async throws -> [TaskRecord] {
        try await database.query(statements.about, [.text(businessKey)]).map(TaskRecord.init(row:))
    }

    /// Up to `limit` tasks: those of one status, or all live ones. Live ones oldest first, archived ones newest first.
    public func tasks(status: TaskState?, limit: Int) async throws -> [TaskRecord] {
        let statement =
            switch status {
            case .none, .pending, .parked: statements.listLive
            case .finished, .rejected: statements.listArchived
            }
        return try await database.query(statement, [PostgresValue(status?.rawValue), .int(limit)])
            .map(TaskRecord.init(row:))
    }

    /// How many wait, and for how long.
    public func backlog() async throws -> TaskBacklog {
        guard let row = try await database.query(statements.backlog).first else {
            return TaskBacklog(pending: 0, parked: 0, oldestAge: 0)
        }
        return TaskBacklog(
            pending: try row.decode(Int.self, at: 0), parked: try row.decode(Int.self, at: 1),
            oldestAge: try row.decode(Double.self, at: 2))
    }

    /// Makes a live task due now with all its attempts before it; false when there is no such live task.
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
