/// Why a connection, or one channel of it, ended.
package enum AMQPError: Error, Equatable {
    /// The C library failed; its own words.
    case library(String, during: String)
    /// The broker closed the connection.
    case connectionClosed(code: Int, text: String)
    /// The broker closed one channel; the others live on.
    case channelClosed(code: Int, text: String)
    /// Something came that has no place there.
    case unexpected(String)
    /// The broker took nothing for too long.
    case stalled
    /// Shut down.
    case stopped

    /// For the operators' log and the reason of a lost message.
    var reason: String {
        switch self {
        case .library(let text, let during): "\(during): \(text)"
        case .connectionClosed(let code, let text): "the broker closed the connection: \(code) \(text)"
        case .channelClosed(let code, let text): "the broker closed the channel: \(code) \(text)"
        case .unexpected(let what): "unexpected: \(what)"
        case .stalled: "the broker takes no data"
        case .stopped: "shut down"
        }
    }
}
