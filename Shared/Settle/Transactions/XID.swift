import SettleCore
import Foundation

/// The name of a global transaction, the same at everyone who takes part: a UUID of version 7.
///
/// Its last 16 bits say which process began it (RFC 9562, section 6.4, allows a node's number there): see
/// `InitiatorPresence`.
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

    /// A new one, which names no process.
    public init() { self.init(process: 0) }

    /// A new one that was made by this process; 0 names none.
    init(process: UInt16) {
        let number = String(process, radix: 16)
        rawValue =
            UUID.v7().uuidString.lowercased().dropLast(4) + String(repeating: "0", count: 4 - number.count) + number
    }

    /// The process that made it, 0 if it names none; nil when it was not made by this library.
    var process: UInt16? { version7.map { UInt16($0.14) << 8 | UInt16($0.15) } }

    /// When it was made, in whole milliseconds; nil when it was not made by this library.
    var createdAt: Date? {
        guard let bytes = version7 else { return nil }
        let first = [bytes.0, bytes.1, bytes.2, bytes.3, bytes.4, bytes.5]
        return Date(timeIntervalSince1970: Double(first.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) / 1000)
    }

    private var version7: uuid_t? {
        guard let bytes = UUID(uuidString: rawValue)?.uuid, bytes.6 >> 4 == 7 else { return nil }
        return bytes
    }

    /// The same.
    public var description: String { rawValue }
}
