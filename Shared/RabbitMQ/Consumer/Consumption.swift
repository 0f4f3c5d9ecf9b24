import SettleCore

/// One subscription on its channel.
struct Consumption {
    let subscription: Subscription
    let channel: UInt16
    /// Chosen here, so that a cancel can name it without having waited for the broker's answer.
    let consumerTag: String
    let metrics: ConsumptionMetrics
    let prefetch: UInt16

    var assembler: DeliveryAssembler
    var batcher: DeliveryBatcher
    /// The handler that runs, to cancel it.
    var task: Task<Void, Never>?

    private let backoff: Backoff
    private(set) var isChannelOpen = false
    private(set) var isSubscribed = false
    private(set) var subscribeAt: ContinuousClock.Instant?
    private var failures = 0

    init(_ subscription: Subscription, index: Int, _ configuration: RabbitMQConfiguration) {
        self.subscription = subscription
        channel = UInt16(index) + 2
        consumerTag = "\(configuration.connectionName)-\(index + 1)"
        metrics = ConsumptionMetrics(name: configuration.connectionName, queue: subscription.queue)
        prefetch = Self.prefetch(
            subscription.prefetch, maxDelivery: configuration.maxDelivery, maxHeldBytes: configuration.maxHeldBytes)
        backoff = configuration.backoff
        assembler = DeliveryAssembler(queue: subscription.queue, maxBody: configuration.maxDelivery)
        batcher = DeliveryBatcher(
            backoff: configuration.backoff, maxBytes: configuration.maxHeldBytes,
            maxBatchBytes: configuration.maxBatchBytes)
    }

    /// No delivery is given back more than 16 times for want of room: quorum queues drop a message after 20.
    ///
    /// Each round takes `maxHeldBytes`, so a full prefetch of the biggest deliveries takes
    /// `prefetch × maxDelivery / maxHeldBytes` rounds.
    static func prefetch(_ wanted: UInt16, maxDelivery: Int, maxHeldBytes: Int) -> UInt16 {
        let most = 16 * Double(maxHeldBytes) / Double(max(maxDelivery, 1))
        return UInt16(min(Double(wanted), max(most, 1)))
    }

    mutating func channelOpened() {
        isChannelOpen = true
        assembler = DeliveryAssembler(queue: assembler.queue, maxBody: assembler.maxBody)
    }

    mutating func subscribed() {
        isSubscribed = true
        subscribeAt = nil
    }

    /// A batch was acknowledged: the subscription works.
    mutating func acknowledged() {
        failures = 0
    }

    /// The channel lives but delivers no more; subscribe again after a while.
    mutating func unsubscribed(at now: ContinuousClock.Instant) {
        isSubscribed = false
        failures += 1
        subscribeAt = now + backoff.delay(attempt: failures)
    }

    /// The channel is gone, with all that was not acknowledged.
    mutating func channelClosed(at now: ContinuousClock.Instant) {
        isChannelOpen = false
        batcher.disconnected()
        unsubscribed(at: now)
    }

    /// The connection is gone; the next one starts afresh.
    mutating func disconnected() {
        isChannelOpen = false
        isSubscribed = false
        subscribeAt = nil
        batcher.disconnected()
    }
}
