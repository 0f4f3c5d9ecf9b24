/// What Redis answered to one command.
public enum RedisReply: Sendable, Equatable {
    case status(String)
    case integer(Int64)
    case bytes([UInt8])
    case null
    case array([RedisReply])
    /// Redis refused this command; the others of the batch are not touched by it. For the operators' log only.
    case error(String)

    /// The text of a status or of bytes (invalid UTF-8 repaired); `nil` for the rest.
    public var text: String? {
        switch self {
        case .status(let text): text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .integer, .null, .array, .error: nil
        }
    }
}
