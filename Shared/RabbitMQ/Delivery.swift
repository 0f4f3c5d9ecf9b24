/// A message that arrived.
public struct Delivery: Sendable, Equatable {
    /// The queue it came from.
    public var queue: String
    /// The exchange it was published to.
    public var exchange: String
    /// The key it was published with.
    public var routingKey: String
    /// The `message-id` property.
    public var messageID: String?
    /// The headers whose values are texts, numbers or booleans, as texts.
    public var headers: [String: String]
    /// Whether it may have been delivered before.
    public var redelivered: Bool
    /// The content.
    public var body: [UInt8]

    /// A delivery with these parts.
    public init(
        queue: String, exchange: String, routingKey: String, messageID: String?, headers: [String: String] = [:],
        redelivered: Bool = false, body: [UInt8]
    ) {
        self.queue = queue
        self.exchange = exchange
        self.routingKey = routingKey
        self.messageID = messageID
        self.headers = headers
        self.redelivered = redelivered
        self.body = body
    }
}
