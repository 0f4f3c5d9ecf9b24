import SettleCore

/// Natural batching for one subscription: what gathers while the handler runs, and for a short rest thereafter, is its next
/// batch.
///
/// A pure value, told of everything that happens and asked what to do. One batch at a time is in hand: it runs, or it
/// failed and waits to run again. It is acknowledged whole, or not at all.
///
/// What it holds is bounded in bytes. From the first delivery that there is no room for, all are turned away, so that
/// their tags lie beyond those of all that is held; when that is done, one answer gives them back to the queue. Not
/// before: given back at once they would come again at once.
struct DeliveryBatcher {
    private enum InHand {
        case nothing
        case running(Batch, since: ContinuousClock.Instant)
        /// The handler still runs with a batch of a connection that is gone; its bytes.
        case stale(Int)
        case failed(Batch, until: ContinuousClock.Instant)
    }

    private struct Batch {
        var deliveries: [Delivery] = []
        var tags: [UInt64] = []
        var bytes = 0

        mutating func append(_ delivery: Delivery, _ tag: UInt64) {
            deliveries.append(delivery)
            tags.append(tag)
            bytes += delivery.byteCount
        }

        /// Takes deliveries off the front up to `limit` bytes, but at least one.
        mutating func takeFirst(upTo limit: Int) -> Batch {
            var first = Batch()
            guard bytes > limit else {
                swap(&first, &self)
                return first
            }
            while let next = deliveries.dropFirst(first.tags.count).first {
                guard first.tags.isEmpty || first.bytes + next.byteCount <= limit else { break }
                first.append(next, tags[first.tags.count])
            }
            deliveries.removeFirst(first.tags.count)
            tags.removeFirst(first.tags.count)
            bytes -= first.bytes
            return first
        }
    }

    private let backoff: Backoff
    private let maxBytes: Int
    private let maxBatchBytes: Int
    private var inHand = InHand.nothing
    private var gathered = Batch()
    private var turnedAwayUpTo: UInt64?
    private var failures = 0
    private var pace = BatchPace()
    private var isStopping = false

    /// - Parameters:
    ///   - maxBytes: of all that is held; one delivery is always taken.
    ///   - maxBatchBytes: of what the handler gets at a time; one delivery is always given.
    init(backoff: Backoff, maxBytes: Int = .max, maxBatchBytes: Int = .max) {
        self.backoff = backoff
        self.maxBytes = maxBytes
        self.maxBatchBytes = maxBatchBytes
    }

    /// Whether a handler runs.
    var isRunning: Bool {
        switch inHand {
        case .running, .stale: true
        case .nothing, .failed: false
        }
    }

    /// When a batch is due: one that failed, or the next one after a rest.
    var dueAt: ContinuousClock.Instant? {
        switch inHand {
        case .failed(_, let until): until
        case .nothing: gathered.tags.isEmpty ? nil : restsUntil
        case .running, .stale: nil
        }
    }

    /// Nil where a batch as large as may be is there.
    private var restsUntil: ContinuousClock.Instant? {
        gathered.bytes < maxBatchBytes ? pace.begin(with: gathered.tags.count) : nil
    }

    /// The most bytes that the next delivery may have; a bigger one is to be turned away.
    var room: Int {
        guard turnedAwayUpTo == nil else { return 0 }
        let held = heldBytes
        return held == 0 ? .max : maxBytes - held
    }

    private var heldBytes: Int {
        switch inHand {
        case .nothing: gathered.bytes
        case .running(let batch, _), .failed(let batch, _): gathered.bytes + batch.bytes
        case .stale(let bytes): gathered.bytes + bytes
        }
    }

    mutating func gather(_ delivery: Delivery, tag: UInt64) {
        guard !isStopping else { return }
        gathered.append(delivery, tag)
    }

    mutating func turnAway(_ tag: UInt64) {
        turnedAwayUpTo = tag
    }

    /// The tag up to which to give back what was turned away, once all that came before it is done.
    mutating func giveBack() -> UInt64? {
        guard case .nothing = inHand, gathered.tags.isEmpty else { return nil }
        defer { turnedAwayUpTo = nil }
        return turnedAwayUpTo
    }

    /// The batch to run the handler with now, if there is one; it counts as running from here on.
    mutating func next(at now: ContinuousClock.Instant) -> [Delivery]? {
        switch inHand {
        case .running, .stale: return nil
        case .failed(let batch, let until):
            guard until <= now else { return nil }
            inHand = .running(batch, since: now)
            return batch.deliveries
        case .nothing:
            guard !gathered.tags.isEmpty, (restsUntil ?? now) <= now else { return nil }
            let batch = gathered.takeFirst(upTo: maxBatchBytes)
            inHand = .running(batch, since: now)
            return batch.deliveries
        }
    }

    /// The handler returned; the tag up to which to acknowledge, if that is still of use.
    mutating func succeeded(at now: ContinuousClock.Instant) -> UInt64? {
        defer { inHand = .nothing }
        failures = 0
        guard case .running(let batch, let began) = inHand else { return nil }
        pace.ended(at: now, began: began)
        return batch.tags.last
    }

    /// The handler threw: the same batch runs again later, unless its connection is gone.
    mutating func failed(at now: ContinuousClock.Instant) {
        guard case .running(let batch, _) = inHand, !isStopping else {
            inHand = .nothing
            return
        }
        failures += 1
        inHand = .failed(batch, until: now + backoff.delay(attempt: failures))
    }

    /// The channel is gone and the broker delivers again what was not acknowledged.
    mutating func disconnected() {
        gathered = Batch()
        turnedAwayUpTo = nil
        switch inHand {
        case .running(let batch, _): inHand = .stale(batch.bytes)
        case .stale: break
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
