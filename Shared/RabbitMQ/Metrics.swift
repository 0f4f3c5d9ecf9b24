import Metrics

/// What a publisher counts.
struct PublisherMetrics {
    private let confirmed = counter(outcome: "confirmed")
    private let returned = counter(outcome: "returned")
    private let nacked = counter(outcome: "nacked")
    private let lost = counter(outcome: "lost")
    private let notSent = counter(outcome: "not_sent")

    func settled(_ outcome: PublishOutcome) {
        switch outcome {
        case .confirmed: confirmed.increment()
        case .returned: returned.increment()
        case .nacked: nacked.increment()
        case .lost: lost.increment()
        case .notSent: notSent.increment()
        }
    }

    private static func counter(outcome: String) -> Counter {
        Counter(label: "rabbitmq_published_messages_total", dimensions: [("outcome", outcome)])
    }
}

/// What a consumer counts for each queue.
struct ConsumptionMetrics {
    private let handled: Counter
    private let batches: Counter
    private let failed: Counter

    init(queue: String) {
        handled = Counter(label: "rabbitmq_handled_messages_total", dimensions: [("queue", queue)])
        batches = Counter(label: "rabbitmq_handled_batches_total", dimensions: [("queue", queue)])
        failed = Counter(label: "rabbitmq_failed_batches_total", dimensions: [("queue", queue)])
    }

    func handled(messages: Int) {
        handled.increment(by: messages)
        batches.increment()
    }

    func failedBatch() {
        failed.increment()
    }
}
