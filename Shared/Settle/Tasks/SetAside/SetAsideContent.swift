import Foundation
import SettlePostgres

/// A message that was set aside, with what is in it.
public struct SetAsideContent: Encodable, Sendable {
    /// What its list shows of it.
    public let record: SetAsideRecord
    /// The exchange it was published to.
    public let exchange: String
    /// The routing key it was published with.
    public let routingKey: String
    /// As they came, as JSON.
    public let headers: [String: String]  // ours
    /// As it came; nil when it was too long to be kept.
    public let body: [UInt8]?

    private enum CodingKeys: CodingKey { case exchange, routingKey, headers, body, bodyBase64 }

    /// The members of the record, and beside them the others; a body that is no UTF-8 as `bodyBase64`.
    public func encode(to encoder: any Encoder) throws {
        try record.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(exchange, forKey: .exchange)
        try values.encode(routingKey, forKey: .routingKey)
        try values.encode(headers, forKey: .headers)
        guard let body else { return }
        if let text = String(validating: body, as: UTF8.self) {
            try values.encode(text, forKey: .body)
        } else {
            try values.encode(Data(body).base64EncodedString(), forKey: .bodyBase64)
        }
    }

    static let columns = "\(SetAsideRecord.columns), exchange, routing_key, headers::text, body"

    init(row: PostgresRow) throws {
        record = try SetAsideRecord(row: row)
        exchange = try row.decode(String.self, at: 9)
        routingKey = try row.decode(String.self, at: 10)
        headers = try JSONDecoder().decode(
            [String: String].self, from: Data(try row.decode(String.self, at: 11).utf8))  // ours
        body = try row.decode([UInt8]?.self, at: 12)
    }
}
