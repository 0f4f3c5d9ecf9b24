/// A frame from the broker as a value; nothing in it points into the library's memory.
struct InboundFrame: Equatable {
    var channel: UInt16
    var content: Content

    enum Content: Equatable {
        case ack(tag: UInt64, multiple: Bool)
        case nack(tag: UInt64, multiple: Bool)
        case returned(Return)
        case deliver(tag: UInt64, redelivered: Bool, exchange: String, routingKey: String)
        case header(bodySize: UInt64, messageID: String?, headers: [String: String])
        case body([UInt8])
        case consumerCancelled
        case consumerCancelOK
        case channelClosed(code: Int, text: String)
        case connectionClosed(code: Int, text: String)
        case blocked(reason: String)
        case unblocked
        /// A heartbeat, or a method that asks for nothing here.
        case other
    }

    /// Why a message came back, and where it was to go.
    struct Return: Equatable {
        var code: Int
        var text: String
        var exchange: String
        var routingKey: String
    }
}
