/// Puts a message of one channel together from its frames: method, header, then as many bodies as it takes.
struct DeliveryAssembler {
    /// A message that is complete.
    enum Message: Equatable {
        case delivery(Delivery, tag: UInt64)
        /// Its body was longer than allowed and is not kept.
        case tooLarge(messageID: String?, size: UInt64, tag: UInt64)
    }

    private struct Partial {
        var delivery: Delivery
        var tag: UInt64
        /// Nil until the header has come.
        var size: UInt64?
        var received: UInt64 = 0
    }

    let queue: String
    let maxMessage: Int
    private var partial: Partial?

    init(queue: String, maxMessage: Int) {
        self.queue = queue
        self.maxMessage = maxMessage
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

    mutating func header(
        size: UInt64, messageID: String?, headers: [String: String]
    ) throws(AMQPError) -> Message? {
        guard partial != nil, partial?.size == nil else { throw .unexpected("a header without its method") }
        partial?.size = size
        partial?.delivery.messageID = messageID
        partial?.delivery.headers = headers
        return complete()
    }

    mutating func body(_ bytes: [UInt8]) throws(AMQPError) -> Message? {
        guard var message = partial.take(), let size = message.size else {
            throw .unexpected("a body without its header")
        }
        message.received += UInt64(bytes.count)
        guard message.received <= size else { throw .unexpected("a body longer than its header says") }
        if size <= UInt64(maxMessage) {
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
        if size > UInt64(maxMessage) {
            return .tooLarge(messageID: message.delivery.messageID, size: size, tag: message.tag)
        }
        return .delivery(message.delivery, tag: message.tag)
    }
}
