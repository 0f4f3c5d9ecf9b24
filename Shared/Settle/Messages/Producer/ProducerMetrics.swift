import Metrics

/// What an operator watches of a producer.
struct ProducerMetrics: Sendable {
    private let pending = Gauge(label: "settle_pre_messages_pending")
    private let oldest = Gauge(label: "settle_pre_message_oldest_age_seconds")
    private let prepares = Counter(label: "settle_messages_prepared_total")
    private let confirms = Counter(label: "settle_messages_confirmed_total")
    private let failures = Counter(label: "settle_message_centre_failures_total")
    private let finished = Counter(label: "settle_messages_finished_total")
    private let rejected = Counter(label: "settle_messages_rejected_total")
    private let repeated = Counter(label: "settle_message_outcomes_ignored_total")

    func prepared(_ count: Int) { prepares.increment(by: count) }
    func confirmed(_ count: Int) { confirms.increment(by: count) }
    /// A request to the centre, or what had to be noted of it.
    func failed() { failures.increment() }

    func settled(_ messages: [SettledMessage], of outcomes: Int) {
        for message in messages {
            if case .rejected = message.answer { rejected.increment() } else { finished.increment() }
        }
        if outcomes > messages.count { repeated.increment(by: outcomes - messages.count) }
    }

    func backlog(_ backlog: (count: Int, oldestAge: Double)) {
        pending.record(backlog.count)
        oldest.record(backlog.oldestAge)
    }
}
