/// Puts a message of one channel together from its frames: method, header, then as many bodies as it takes.
struct DeliveryAssembler {
    /// A message that is complete.
    enum Message: Equatable {
        /// All of it; or without its body, which was longer than allowed.
        case delivery(Delivery, tag: UInt64)
        /// There was no room for it, so nothing of it is kept.
        case turnedAway(tag: UInt64)
    }

    private struct Partial {
        var delivery: Delivery
        var tag: UInt64
        /// Nil until the header has come.
        var size: UInt64?
        var received: UInt64 = 0
        var isTurnedAway = false

        /// What comes of the body is kept.
        var keepsBody: Bool { !isTurnedAway && !delivery.isTooLarge }
    }

    let queue: String
    let maxBody: Int
    private var partial: Partial?

    init(queue: String, maxBody: Int) {
        self.queue = queue
        self.maxBody = maxBody
    }

    mutating func deliver(
        tag: UInt64, redelivered: Bool, exchange: String, routingKey: String
    ) throws(AMQPError) {
        guard partial == nil else { throw .unexpected("a delivery within another") }
        let delivery = Delivery(
            queue: queue, exchange: exchange, routingKey: routingKey, messageID: nil, redelivered: redelivered, body: []
        )
        partial = Partial(delivery: delivery, tag: tag)
    }

    /// - Parameter room: how many bytes may be taken into memory.
    mutating func header(
        size: UInt64, messageID: String?, headers: [String: String], room: Int = .max
    ) throws(AMQPError) -> Message? {
        guard var message = partial, message.size == nil else { throw .unexpected("a header without its method") }
        message.size = size
        message.delivery.messageID = messageID
        message.delivery.headers = headers
        if size > UInt64(maxBody) { message.delivery.discardedBytes = size }
        message.isTurnedAway = message.delivery.byteCount + (message.keepsBody ? Int(size) : 0) > room
        partial = message
        return complete()
    }

    mutating func body(_ bytes: [UInt8]) throws(AMQPError) -> Message? {
        guard var message = partial.take(), let size = message.size else {
            throw .unexpected("a body without its header")
        }
        message.received += UInt64(bytes.count)
        guard message.received <= size else { throw .unexpected("a body longer than its header says") }
        if message.keepsBody {
            // Most messages are one frame: its array is the body.
            if message.delivery.body.isEmpty {
                message.delivery.body = bytes
                if size > message.received { message.delivery.body.reserveCapacity(Int(size)) }
            } else {
                message.delivery.body += bytes
            }
        }
        partial = message
        return complete()
    }

    private mutating func complete() -> Message? {
        guard let message = partial, let size = message.size, message.received == size else { return nil }
        partial = nil
        return message.isTurnedAway ? .turnedAway(tag: message.tag) : .delivery(message.delivery, tag: message.tag)
    }
}
