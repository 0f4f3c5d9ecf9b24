import Metrics

/// What an operator watches of a client.
struct RedisMetrics {
    private let up: Gauge
    private let outages: Counter

    init(name: String, factory: any MetricsFactory = MetricsSystem.factory) {
        up = Gauge(label: "redis_up", dimensions: [("name", name)], factory: factory)
        outages = Counter(label: "redis_outages_total", dimensions: [("name", name)], factory: factory)
        up.record(0)
    }

    func serving() {
        up.record(1)
    }

    /// - Parameter wasServing: false for one more try of an outage that is counted already.
    func away(wasServing: Bool) {
        up.record(0)
        if wasServing { outages.increment() }
    }
}
