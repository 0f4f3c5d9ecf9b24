public import SettlePostgres

/// Tasks as a statement for somebody else's transaction: PostgresNIO's, Fluent's, libpq's.
///
/// Run it in the transaction that the tasks belong to, beside the business's own statements: they exist if, and only if, it
/// commits. They are due at once, so any relay on the database finds them at its next look, within a second as a
/// rule; `OutboxRelay.wake`, called after the commit, makes it look now. `Outbox.add`, for who uses this package's
/// client, spares that look and one UPDATE.
public struct OutboxStatement: Sendable, Equatable {
    /// The statement, with the parameters `$1` to `$6`, or to `$11` where a draft has options; one constant text of each for a
    /// schema, fit to be prepared. It returns the ids (`bigint`) of the tasks that were added, in the order of the drafts: of
    /// one whose unique key is taken, none.
    public let sql: String
    /// What is bound to the parameters, in order: each of the type `text[]`, without NULLs.
    public let binds: [[String]]

    /// One statement for any number of tasks.
    ///
    /// - Parameters:
    ///   - drafts: any number of tasks, of any types.
    ///   - schema: where `task` is; see `SettleSchema.tasks(in:)`.
    public init(_ drafts: [TaskDraft], schema: SchemaName = .public) {
        let hasOptions = !drafts.allSatisfy(\.options.isNone)
        let columns = drafts.map { hasOptions ? $0.columns + $0.optionColumns : $0.columns }
        let count = hasOptions ? 11 : 6
        let rows = "unnest(\((1...count).map { "$\($0)::text[]" }.joined(separator: ", ")))"
        sql =
            hasOptions
            ? TaskStatements.Waiting.insertDue(schema, rows) : TaskStatements.insertDue(schema, rows)
        binds = (0..<count).map { number in columns.map { $0[number] } }
    }
}

/// The same for one task, where a client binds nothing but texts.
public struct OutboxRowStatement: Sendable, Equatable {
    /// As in `OutboxStatement`.
    public let sql: String
    /// What is bound to the parameters, in order: each of the type `text`, none NULL. Every parameter stands in the text
    /// once, and in order, for clients that number them themselves.
    public let binds: [String]

    /// - Parameters:
    ///   - draft: the task that is written.
    ///   - schema: where `task` is; see `SettleSchema.tasks(in:)`.
    public init(_ draft: TaskDraft, schema: SchemaName = .public) {
        binds = draft.options.isNone ? draft.columns : draft.columns + draft.optionColumns
        let rows = "(VALUES (\(binds.indices.map { "$\($0 + 1)::text" }.joined(separator: ", "))))"
        sql =
            draft.options.isNone
            ? TaskStatements.insertDue(schema, rows) : TaskStatements.Waiting.insertDue(schema, rows)
    }
}

extension TaskDraft {
    /// In the order of `TaskStatements.columns`. An array of some clients holds no NULL: that is an empty trace here.
    fileprivate var columns: [String] {
        [route.taskType, businessKey, route.exchange, route.routingKey, requestBody, traceParent ?? ""]
    }

    /// In the order of `TaskStatements.Waiting.columns`; what is not asked for is empty.
    fileprivate var optionColumns: [String] {
        [
            options.notBefore.map { String($0.microsecondsSince1970) } ?? "", options.orderKey ?? "",
            options.expiresAt.map { String($0.microsecondsSince1970) } ?? "",
            options.expiresAt == nil ? "" : options.onExpiry.rawValue, options.uniqueKey ?? "",
        ]
    }
}
