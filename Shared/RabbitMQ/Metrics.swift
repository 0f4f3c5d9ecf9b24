import Metrics

/// What a publisher counts.
struct PublisherMetrics {
    private let confirmed: Counter
    private let returned: Counter
    private let nacked: Counter
    private let lost: Counter
    private let notSent: Counter

    init(name: String, factory: any MetricsFactory = MetricsSystem.factory) {
        func counter(_ outcome: String) -> Counter {
            Counter(
                label: "rabbitmq_published_messages_total", dimensions: [("name", name), ("outcome", outcome)],
                factory: factory)
        }
        confirmed = counter("confirmed")
        returned = counter("returned")
        nacked = counter("nacked")
        lost = counter("lost")
        notSent = counter("not_sent")
    }

    func settled(_ outcome: PublishOutcome) {
        switch outcome {
        case .confirmed: confirmed.increment()
        case .returned: returned.increment()
        case .nacked: nacked.increment()
        case .lost: lost.increment()
        case .notSent: notSent.increment()
        }
    }
}

/// What a consumer counts for each queue.
struct ConsumptionMetrics {
    private let handled: Counter
    private let redelivered: Counter
    private let batches: Counter
    private let failed: Counter
    private let tooLarge: Counter
    private let turnedAway: Counter

    init(name: String, queue: String, factory: any MetricsFactory = MetricsSystem.factory) {
        func counter(_ label: String) -> Counter {
            Counter(label: label, dimensions: [("name", name), ("queue", queue)], factory: factory)
        }
        handled = counter("rabbitmq_handled_messages_total")
        redelivered = counter("rabbitmq_redelivered_messages_total")
        batches = counter("rabbitmq_handled_batches_total")
        failed = counter("rabbitmq_failed_batches_total")
        tooLarge = counter("rabbitmq_too_large_messages_total")
        turnedAway = counter("rabbitmq_turned_away_messages_total")
    }

    func handled(messages: Int) {
        handled.increment(by: messages)
        batches.increment()
    }

    /// The broker has delivered it before, to us or to somebody else, and heard nothing of it.
    func redeliveredMessage() {
        redelivered.increment()
    }

    func failedBatch() {
        failed.increment()
    }

    /// Only its length came; the handler gets that.
    func tooLargeMessage() {
        tooLarge.increment()
    }

    /// There was no room for it; it comes again.
    func turnedAwayMessage() {
        turnedAway.increment()
    }
}
