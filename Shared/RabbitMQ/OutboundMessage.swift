/// A message to publish: always persistent and mandatory, with content type `application/json`.
public struct OutboundMessage: Sendable, Equatable {
    /// The exchange; empty for the default one, which routes to the queue that `routingKey` names.
    public var exchange: String
    /// The key that the exchange routes by.
    public var routingKey: String
    /// Becomes the `message-id` property; a returned message is recognised by it.
    public var messageID: String
    /// The content.
    public var body: [UInt8]
    /// Become text headers.
    public var headers: [String: String]

    /// A message for `exchange`.
    public init(
        exchange: String, routingKey: String, messageID: String, body: [UInt8], headers: [String: String] = [:]
    ) {
        self.exchange = exchange
        self.routingKey = routingKey
        self.messageID = messageID
        self.body = body
        self.headers = headers
    }

    /// About what it holds in memory.
    var byteCount: Int {
        headers.reduce(128 + body.count + exchange.utf8.count + routingKey.utf8.count + messageID.utf8.count) {
            $0 + 64 + $1.key.utf8.count + $1.value.utf8.count
        }
    }
}

/// What became of a published message.
public enum PublishOutcome: Sendable, Equatable {
    /// The broker has it, durably, in every queue it was routed to.
    case confirmed
    /// No queue took it (312, no route), the broker closes the channel over it (404, no such exchange; 403, not allowed
    /// to write there; then it was not even sent, for a while), or no broker ever could take it, so it was not sent (311,
    /// too large; 502, a name that cannot be written).
    case returned(code: Int, text: String)
    /// The broker refused it, as a full queue does that rejects.
    case nacked
    /// Nobody knows: it was sent and its confirm did not come. It may have arrived all the same.
    case lost(reason: String)
    /// It was never handed to the broker: there is no connection, the broker takes no messages for now, or too many wait.
    case notSent(reason: String)
}
