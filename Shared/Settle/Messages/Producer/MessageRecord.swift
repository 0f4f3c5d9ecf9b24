public import Foundation
import SettlePostgres

/// A message as its producer's operators and clients see it, live or archived: in JSON it looks like a task.
public struct MessageRecord: Encodable, Sendable {
    /// Its name, everywhere.
    public let id: UUID
    /// What it is about.
    public let businessKey: String
    /// What it asks for.
    public let type: String
    /// `pending` while it lives, then `finished` or `rejected`; `confirmed` where no outcome is told, `void` when it was given up.
    public let status: String
    /// How often the centre was told of it.
    public let attempts: Int
    /// Milliseconds since 1970.
    public let createTime: Int64
    /// When it was archived; milliseconds since 1970.
    public let deleteTime: Int64?
    /// Why it was rejected.
    public let errormsg: String?

    private enum CodingKeys: CodingKey {
        case id, businessKey, taskType, status, attempts, createTime, updateTime, deleteTime, errormsg
    }

    /// With the members of a task; the id in lower case, as the centre and messages have it.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id.uuidString.lowercased(), forKey: .id)
        try values.encode(businessKey, forKey: .businessKey)
        try values.encode(type, forKey: .taskType)
        try values.encode(status, forKey: .status)
        try values.encode(attempts, forKey: .attempts)
        try values.encode(createTime, forKey: .createTime)
        try values.encode(deleteTime ?? createTime, forKey: .updateTime)
        try values.encodeIfPresent(deleteTime, forKey: .deleteTime)
        try values.encodeIfPresent(errormsg, forKey: .errormsg)
    }

    init(row: PostgresRow) throws {
        id = try row.decode(UUID.self, at: 0)
        businessKey = try row.decode(String.self, at: 1)
        type = try row.decode(String.self, at: 2)
        status = try row.decode(String.self, at: 3)
        attempts = try row.decode(Int.self, at: 4)
        createTime = try row.decode(Int64.self, at: 5)
        deleteTime = try row.decode(Int64?.self, at: 6)
        errormsg = try row.decode(String?.self, at: 7)
    }
}
