import Base

/// Natural batching for one subscription: what gathers while the handler runs is its next batch.
///
/// A pure value, told of everything that happens and asked what to do. One batch at a time is in hand: it runs, or it
/// failed and waits to run again. It is acknowledged whole, or not at all.
struct DeliveryBatcher {
    private enum InHand {
        case nothing
        case running(Batch)
        /// The handler still runs with a batch of a connection that is gone.
        case stale
        case failed(Batch, until: ContinuousClock.Instant)
    }

    private struct Batch {
        var deliveries: [Delivery] = []
        var lastTag: UInt64 = 0
    }

    private let backoff: Backoff
    private var inHand = InHand.nothing
    private var gathered = Batch()
    private var failures = 0
    private var isStopping = false

    init(backoff: Backoff) {
        self.backoff = backoff
    }

    /// Whether a handler runs.
    var isRunning: Bool {
        switch inHand {
        case .running, .stale: true
        case .nothing, .failed: false
        }
    }

    /// When a batch that failed is due again.
    var retryAt: ContinuousClock.Instant? {
        if case .failed(_, let until) = inHand { until } else { nil }
    }

    mutating func gather(_ delivery: Delivery, tag: UInt64) {
        guard !isStopping else { return }
        gathered.deliveries.append(delivery)
        gathered.lastTag = tag
    }

    /// The batch to run the handler with now, if there is one; it counts as running from here on.
    mutating func next(at now: ContinuousClock.Instant) -> [Delivery]? {
        switch inHand {
        case .running, .stale: return nil
        case .failed(let batch, let until):
            guard until <= now else { return nil }
            inHand = .running(batch)
            return batch.deliveries
        case .nothing:
            guard !gathered.deliveries.isEmpty else { return nil }
            let batch = gathered
            gathered = Batch()
            inHand = .running(batch)
            return batch.deliveries
        }
    }

    /// The handler returned; the tag up to which to acknowledge, if that is still of use.
    mutating func succeeded() -> UInt64? {
        defer { inHand = .nothing }
        failures = 0
        if case .running(let batch) = inHand { return batch.lastTag }
        return nil
    }

    /// The handler threw: the same batch runs again later, unless its connection is gone.
    mutating func failed(at now: ContinuousClock.Instant) {
        guard case .running(let batch) = inHand, !isStopping else {
            inHand = .nothing
            return
        }
        failures += 1
        inHand = .failed(batch, until: now + backoff.delay(attempt: failures))
    }

    /// The channel is gone and the broker delivers again what was not acknowledged.
    mutating func disconnected() {
        gathered = Batch()
        switch inHand {
        case .running, .stale: inHand = .stale
        case .nothing, .failed: inHand = .nothing
        }
    }

    /// Nothing is begun any more; what runs may end.
    mutating func stop() {
        isStopping = true
        gathered = Batch()
        if case .failed = inHand { inHand = .nothing }
    }
}
