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
    /// How long the body was, if it was longer than the consumer takes into memory: then it is not here, and `body` is
    /// empty. Otherwise 0.
    public var discardedBytes: UInt64

    /// A delivery with these parts.
    public init(
        queue: String, exchange: String, routingKey: String, messageID: String?, headers: [String: String] = [:],
        redelivered: Bool = false, body: [UInt8], discardedBytes: UInt64 = 0
    ) {
        self.queue = queue
        self.exchange = exchange
        self.routingKey = routingKey
        self.messageID = messageID
        self.headers = headers
        self.redelivered = redelivered
        self.body = body
        self.discardedBytes = discardedBytes
    }

    /// Whether only the length of the body came, and not the body.
    public var isTooLarge: Bool { discardedBytes > 0 }

    /// The length of the body, here or not.
    public var bodySize: UInt64 { isTooLarge ? discardedBytes : UInt64(body.count) }

    /// About what it holds in memory.
    var byteCount: Int {
        headers.reduce(256 + body.count + exchange.utf8.count + routingKey.utf8.count + (messageID?.utf8.count ?? 0)) {
            $0 + 64 + $1.key.utf8.count + $1.value.utf8.count
        }
    }
}
