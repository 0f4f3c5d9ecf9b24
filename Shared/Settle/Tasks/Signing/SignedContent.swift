import SettleCore

/// Whether a message asks or answers: an echo of a task must not pass for its answer.
enum SignedKind: String, Sendable {
    case task, answer
}

/// What a signature stands for. Not for where the message was published, so that a person may move it from queue to
/// queue, and not for the trace, which decides nothing.
struct SignedContent: Sendable {
    let kind: SignedKind
    let taskType: String
    let messageID: String
    let body: [UInt8]

    /// The bytes before the body. Each part comes after its length, so that no two contents have the same bytes.
    var head: [UInt8] {
        var bytes: [UInt8] = []
        for part in ["settle message v1", kind.rawValue, taskType, messageID] {
            bytes += UInt64(part.utf8.count).bigEndianBytes
            bytes += part.utf8
        }
        return bytes + UInt64(body.count).bigEndianBytes
    }
}
