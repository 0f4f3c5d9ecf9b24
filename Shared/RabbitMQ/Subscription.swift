/// A queue to consume and what to do with what comes.
public struct Subscription: Sendable {
    /// The queue's name.
    public let queue: String
    /// The most messages that are unacknowledged at a time, and so the biggest batch; 0 means 1. Bytes bound both, too:
    /// see ``RabbitMQConfiguration/maxHeldBytes``.
    public let prefetch: UInt16
    /// Takes a batch; a delivery that ``Delivery/isTooLarge`` comes without its body. Returning acknowledges the batch
    /// whole; throwing has the same batch handed over again later.
    public let handler: @Sendable ([Delivery]) async throws -> Void

    /// Subscribes `handler` to `queue`; at most one call of it runs at a time.
    public init(queue: String, prefetch: UInt16 = 500, handler: @escaping @Sendable ([Delivery]) async throws -> Void) {
        self.queue = queue
        self.prefetch = max(prefetch, 1)
        self.handler = handler
    }
}
