import SettlePostgres

/// A type of task that is not sent for the time being.
public struct TaskPause: Codable, Sendable, Equatable {
    /// Which.
    public let taskType: String
    /// Milliseconds since 1970.
    public let since: Int64
    /// Why, if somebody said so.
    public let reason: String?

    init(row: PostgresRow) throws {
        taskType = try row.decode(String.self, at: 0)
        since = try row.decode(Int64.self, at: 1)
        reason = try row.decode(String?.self, at: 2)
    }
}
