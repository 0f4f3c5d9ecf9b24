/// A frame from the broker as a value; nothing in it points into the library's memory.
package struct InboundFrame: Equatable {
    package var channel: UInt16
    package var content: Content

    package enum Content: Equatable {
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
    package struct Return: Equatable {
        package var code: Int
        package var text: String
        package var exchange: String
        package var routingKey: String
    }
}
