public import SettlePostgres

/// What became of a task that was to be added.
public enum TaskAddition: Sendable, Equatable {
    /// It was added, with this id.
    case added(Int64)
    /// Nothing was added: there is one of its type with its unique key. Its id; nil where it was answered just now.
    case exists(Int64?)
}

/// Stands for what becomes of tasks that are added to a transaction: one `TaskAddition` for each, in their order.
public struct TaskTicket: Sendable {
    /// A draft's type and unique key, if it has one.
    typealias Name = (taskType: String, uniqueKey: String?)

    private let drafts: [Name]
    let inserted: PostgresTicket?
    /// One row for each draft that has a unique key: the id of the one that lives.
    private let living: PostgresTicket?

    /// Of no tasks.
    static let none = TaskTicket(drafts: [], inserted: nil, living: nil)

    /// - Parameter inserted: of rows that begin with the task's id, and have its unique key at `OutgoingTask.columnCount` + 1.
    init(drafts: [Name], inserted: PostgresTicket?, living: PostgresTicket?) {
        self.drafts = drafts
        self.inserted = inserted
        self.living = living
    }

    /// Waits for the statements, which otherwise travel with the transaction's next ones.
    public func additions(in transaction: borrowing PostgresTransaction) throws -> [TaskAddition] {
        try additions(
            inserted: inserted.map { try transaction.rows(of: $0) },
            living: living.map { try transaction.rows(of: $0) })
    }

    /// The same after the commit.
    public func additions(in committed: PostgresCommitted) throws -> [TaskAddition] {
        try additions(
            inserted: inserted.map { try committed.rows(of: $0) },
            living: living.map { try committed.rows(of: $0) })
    }

    private func additions(inserted: PostgresRows?, living: PostgresRows?) throws -> [TaskAddition] {
        var (next, nextLiving) = (0, 0)
        return try drafts.map { draft in
            // Those that were added come back in the order of the drafts; only one with a unique key may be missing.
            let id = try inserted.flatMap { rows -> Int64? in
                guard next < rows.count else { return nil }
                if let key = draft.uniqueKey {
                    let row = rows[next]
                    let isIts =
                        try row.decode(String?.self, at: OutgoingTask.columnCount + 1)?.utf8.elementsEqual(key.utf8)
                        ?? false
                    guard isIts, try row.decode(String.self, at: 2) == draft.taskType else { return nil }
                }
                next += 1
                return try rows[next - 1].decode(Int64.self, at: 0)
            }
            defer { if draft.uniqueKey != nil { nextLiving += 1 } }
            if let id { return .added(id) }
            guard let living, nextLiving < living.count else { return .exists(nil) }
            return .exists(try living[nextLiving].decode(Int64?.self, at: 0))
        }
    }
}
