public import SettlePostgres

/// Tasks as a statement for somebody else's transaction: PostgresNIO's, Fluent's, libpq's.
///
/// Run it in the transaction that the tasks belong to, beside the business's own statements: they exist if, and only if, it
/// commits. They are due at once, so any relay on the database finds them at its next look, within a second as a
/// rule; `OutboxRelay.wake`, called after the commit, makes it look now. `Outbox.add`, for who uses this package's
/// client, spares that look and one UPDATE.
public struct OutboxStatement: Sendable, Equatable {
    /// The statement, with the parameters `$1` to `$6`; one constant text for a schema, fit to be prepared. It returns the
    /// tasks' ids (`bigint`), in the order of the drafts.
    public let sql: String
    /// What is bound to the parameters, in order: each of the type `text[]`, without NULLs.
    public let binds: [[String]]

    /// One statement for any number of tasks.
    ///
    /// - Parameter schema: where `task` is; see `SettleSchema.tasks(in:)`.
    public init(_ drafts: [TaskDraft], schema: SchemaName = .public) {
        let columns = drafts.map(\.columns)
        sql = TaskStatements.insertDue(
            schema, "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])")
        binds = (0..<6).map { number in columns.map { $0[number] } }
    }
}

/// The same for one task, where a client binds nothing but texts.
public struct OutboxRowStatement: Sendable, Equatable {
    /// As in `OutboxStatement`.
    public let sql: String
    /// What is bound to the parameters, in order: each of the type `text`, none NULL. Every parameter stands in the text
    /// once, and in order, for clients that number them themselves.
    public let binds: [String]

    /// - Parameter schema: where `task` is; see `SettleSchema.tasks(in:)`.
    public init(_ draft: TaskDraft, schema: SchemaName = .public) {
        sql = TaskStatements.insertDue(schema, "(VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text))")
        binds = draft.columns
    }
}

extension TaskDraft {
    /// In the order of `TaskStatements.columns`. An array of some clients holds no NULL: that is an empty trace here.
    fileprivate var columns: [String] {
        [route.taskType, businessKey, route.exchange, route.routingKey, requestBody, traceParent ?? ""]
    }
}
