import SettleCore

/// One numbered step of a database's schema: an SQL text that is applied once and never changed afterwards.
public struct Migration: Sendable, Equatable {
    /// What it is called in its set; recorded when it is applied.
    public let name: String
    /// The statements, separated by semicolons. They run in one transaction, which they must not end.
    public let sql: String
    /// SHA-256 of `sql`, in hex.
    public let checksum: String

    /// A step from its text.
    public init(name: String, sql: String) {
        self.name = name
        self.sql = sql
        checksum = SHA256.hexDigest(of: Array(sql.utf8))
    }

    /// A step from a file's bytes, as SwiftPM embeds them.
    public init(name: String, bytes: [UInt8]) {
        self.init(name: name, sql: String(decoding: bytes, as: UTF8.self))
    }
}
