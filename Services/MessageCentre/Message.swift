import Foundation
import Settle
import SettleCore
import SettlePostgres

/// Where a message stands.
enum MessageStatus: String, Codable, CaseIterable, Sendable {
    /// Kept, and waits for its confirmation.
    case prepared
    /// To be sent.
    case confirmed
    /// The broker has it; waits for its acknowledgement.
    case sent
    /// Its checks or its sends are used up: waits for an operator.
    case parked
    /// Archived: done; will never be done; thrown away.
    case finished, rejected, discarded
}

/// A message to be kept, checked.
struct NewMessage: Sendable {
    let id: String
    let artist: String
    let exchange: String
    let routingKey: String
    let msg: String
    let paramMap: String
    let headers: String
    let wantsOutcome: Bool

    /// About how many bytes it keeps while it waits.
    var roughSize: Int { msg.utf8.count + paramMap.utf8.count + headers.utf8.count + 256 }
}

/// A message as operators see it.
struct MessageEntry: Encodable, Sendable {
    let id: String
    let status: MessageStatus
    let artist: String
    let exchange: String
    let routingKey: String
    let checks: Int
    let sends: Int
    let createdAt: Date
    let errormsg: String?
    /// What `before` takes.
    let number: Int64

    static let columns = "id, status, artist, exchange, routing_key, checks, sends, create_time, errormsg, number"

    init(row: PostgresRow) throws {
        id = try row.decode(String.self, at: 0)
        let status = try row.decode(String.self, at: 1)
        guard let known = MessageStatus(rawValue: status) else {
            throw UnreadableMessage(description: "message.status holds an impossible value: \(status)")
        }
        self.status = known
        artist = try row.decode(String.self, at: 2)
        exchange = try row.decode(String.self, at: 3)
        routingKey = try row.decode(String.self, at: 4)
        checks = try row.decode(Int.self, at: 5)
        sends = try row.decode(Int.self, at: 6)
        createdAt = try row.decode(Date.self, at: 7)
        errormsg = try row.decode(String?.self, at: 8)
        number = try row.decode(Int64.self, at: 9)
    }
}

/// What became of a message, for its producer.
struct Outcome: Sendable {
    let number: Int64
    let id: String
    let artist: String
    /// Nil when it was done.
    let rejection: String?
    /// As the message was published with.
    let headers: String

    static let columns = "number, id, artist, CASE WHEN status <> 'finished' THEN errormsg END, headers"
    /// How many those are: what a statement returns besides comes after them.
    static let columnCount = 5

    init(row: PostgresRow) throws {
        number = try row.decode(Int64.self, at: 0)
        id = try row.decode(String.self, at: 1)
        artist = try row.decode(String.self, at: 2)
        rejection = try row.decode(String?.self, at: 3)
        headers = try row.decode(String.self, at: 4)
    }
}

/// A message that its producer is to be asked about.
struct Question: Sendable {
    let number: Int64
    let id: String
    let artist: String
    let paramMap: String
    /// As the message will be published with.
    let headers: String

    static let columns = "number, id, artist, param_map, headers"
    /// How many those are: what a statement returns besides comes after them.
    static let columnCount = 5

    init(row: PostgresRow) throws {
        number = try row.decode(Int64.self, at: 0)
        id = try row.decode(String.self, at: 1)
        artist = try row.decode(String.self, at: 2)
        paramMap = try row.decode(String.self, at: 3)
        headers = try row.decode(String.self, at: 4)
    }
}
