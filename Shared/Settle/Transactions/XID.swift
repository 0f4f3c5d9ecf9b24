import Base
import Foundation

/// The name of a global transaction, the same at everyone who takes part: a UUID of version 7.
public struct XID: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    /// As it stands in headers, bodies, tables and logs.
    public let rawValue: String

    /// Nil unless it has 1 to 64 letters, digits, dashes or underscores: it becomes part of a prepared transaction's
    /// name, where it must not be mistaken for anything else.
    public init?(rawValue: String) {
        let isPlain = rawValue.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: "_")
        }
        guard isPlain, (1...64).contains(rawValue.utf8.count) else { return nil }
        self.rawValue = rawValue
    }

    /// A new one.
    public init() {
        rawValue = UUID.v7().uuidString.lowercased()
    }

    /// The same.
    public var description: String { rawValue }
}
