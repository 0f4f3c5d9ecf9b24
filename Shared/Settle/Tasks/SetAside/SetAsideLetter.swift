import Foundation
import SettlePostgres
import SettleRabbitMQ

/// A message that is to be set aside.
struct NewLetter: Sendable {
    let delivery: Delivery
    let reason: String
    /// Zero when it was not even tried.
    var tries = 0
    var failures = 0
    var wait: Duration = .zero
}

/// A message that was set aside and is tried again now.
struct DueLetter: Sendable {
    let id: Int64
    let delivery: Delivery
    let tries: Int
    let failures: Int
    /// How long it has waited.
    let age: Duration

    init(row: PostgresRow) throws {
        id = try row.decode(Int64.self, at: 0)
        let headers = try row.decode(String.self, at: 5)
        delivery = Delivery(
            queue: try row.decode(String.self, at: 1), exchange: try row.decode(String.self, at: 2),
            routingKey: try row.decode(String.self, at: 3), messageID: try row.decode(String?.self, at: 4),
            headers: try JSONDecoder().decode([String: String].self, from: Data(headers.utf8)),  // ours
            redelivered: true, body: try row.decode([UInt8].self, at: 6))
        tries = try row.decode(Int.self, at: 7)
        failures = try row.decode(Int.self, at: 8)
        age = .seconds(try row.decode(Double.self, at: 9))
    }
}

/// A message that was set aside, as an operator sees it.
public struct SetAsideRecord: Codable, Sendable, Equatable {
    /// Its id in this service's database.
    public let id: Int64
    /// The queue it came from.
    public let queue: String
    /// The `message-id` property.
    public let messageId: String?
    /// `waiting` or `dead`.
    public let status: String
    /// Why it was not handled.
    public let reason: String
    /// How often it was tried.
    public let tries: Int
    /// How long its body is.
    public let bytes: Int64
    /// Milliseconds since 1970.
    public let createdAt: Int64
    /// When an operator last sent it again; milliseconds since 1970.
    public let resentAt: Int64?

    static let columns = """
        id, queue, message_id, state, reason, tries, bytes, (extract(epoch FROM created_at) * 1000)::bigint,
        (extract(epoch FROM resent_at) * 1000)::bigint
        """

    init(row: PostgresRow) throws {
        id = try row.decode(Int64.self, at: 0)
        queue = try row.decode(String.self, at: 1)
        messageId = try row.decode(String?.self, at: 2)
        status = try row.decode(String.self, at: 3)
        reason = try row.decode(String.self, at: 4)
        tries = try row.decode(Int.self, at: 5)
        bytes = try row.decode(Int64.self, at: 6)
        createdAt = try row.decode(Int64.self, at: 7)
        resentAt = try row.decode(Int64?.self, at: 8)
    }
}

/// How many messages are set aside.
public struct SetAsideCounts: Codable, Sendable, Equatable {
    /// Those that are tried again by themselves.
    public let waiting: Int
    /// Those that wait for an operator.
    public let dead: Int
}
