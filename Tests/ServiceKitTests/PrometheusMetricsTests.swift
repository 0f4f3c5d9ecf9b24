import Metrics
import SettleServiceKit
import Testing

@Suite("Prometheus text")
struct PrometheusMetricsTests {
    private let metrics = PrometheusMetrics()

    @Test("a counter counts, under a name that ends in _total")
    func counter() {
        let first = Counter(label: "tasks.published", dimensions: [("queue", "a")], factory: metrics)
        first.increment()
        // Asked for again it is the same series.
        Counter(label: "tasks.published", dimensions: [("queue", "a")], factory: metrics).increment(by: 2)
        Counter(label: "tasks.published", dimensions: [("queue", "b")], factory: metrics).increment()
        let text = metrics.render()
        #expect(text.contains("# HELP tasks_published_total tasks.published\n# TYPE tasks_published_total counter\n"))
        #expect(text.contains("\ntasks_published_total{queue=\"a\"} 3\n"))
        #expect(text.contains("\ntasks_published_total{queue=\"b\"} 1\n"))
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("# TYPE tasks_published_total") }.count == 1)
    }

    @Test("fractions are counted too")
    func floatingPointCounter() {
        let counter = FloatingPointCounter(label: "cost_total", factory: metrics)
        counter.increment(by: 0.5)
        counter.increment(by: 1.25)
        counter.increment(by: -1)
        counter.increment(by: Double.nan)
        #expect(metrics.render().contains("\ncost_total 1.75\n"))
    }

    @Test("gauges and meters show their last value")
    func gauge() {
        Gauge(label: "depth", factory: metrics).record(7)
        Gauge(label: "depth", factory: metrics).record(4)
        let meter = Meter(label: "in.flight", factory: metrics)
        meter.increment(by: 3)
        meter.decrement(by: 1)
        let text = metrics.render()
        #expect(text.contains("# TYPE depth gauge\ndepth 4\n"))
        #expect(text.contains("# TYPE in_flight gauge\nin_flight 2\n"))
    }

    @Test("a timer is a cumulative histogram in seconds")
    func timer() {
        let timer = Timer(label: "commit", dimensions: [("db", "x")], factory: metrics)
        timer.recordMilliseconds(2)
        timer.recordMilliseconds(2)
        timer.recordSeconds(60)
        let lines = metrics.render().split(separator: "\n")
        #expect(lines.contains("# TYPE commit_seconds histogram"))
        #expect(lines.contains("commit_seconds_bucket{db=\"x\",le=\"0.001\"} 0"))
        #expect(lines.contains("commit_seconds_bucket{db=\"x\",le=\"0.0025\"} 2"))
        #expect(lines.contains("commit_seconds_bucket{db=\"x\",le=\"30\"} 2"))
        #expect(lines.contains("commit_seconds_bucket{db=\"x\",le=\"+Inf\"} 3"))
        #expect(lines.contains("commit_seconds_count{db=\"x\"} 3"))
        #expect(lines.contains("commit_seconds_sum{db=\"x\"} 60.004"))
    }

    @Test("an aggregating recorder is a histogram of its own unit; a value on a bound is under it")
    func recorder() {
        let recorder = Recorder(label: "batch_size", factory: metrics)
        recorder.record(2)
        recorder.record(3)
        recorder.record(Double.infinity)
        let lines = metrics.render().split(separator: "\n")
        #expect(lines.contains("batch_size_bucket{le=\"2\"} 1"))
        #expect(lines.contains("batch_size_bucket{le=\"5\"} 2"))
        #expect(lines.contains("batch_size_count 2"))
        #expect(lines.contains("batch_size_sum 5"))
    }

    @Test("labels are escaped, sorted and sanitised; names begin with a letter")
    func labels() {
        Counter(label: "5xx/errors é", dimensions: [("z-z", "a\"b\\c\nd"), ("a", "1")], factory: metrics).increment()
        #expect(metrics.render().contains("\n_5xx_errors___total{a=\"1\",z_z=\"a\\\"b\\\\c\\nd\"} 1\n"))
    }

    @Test("series beyond the limit are dropped and counted")
    func limit() {
        let metrics = PrometheusMetrics(maxSeries: 2)
        for user in 0..<5 {
            Counter(label: "requests", dimensions: [("user", "\(user)")], factory: metrics).increment()
        }
        let text = metrics.render()
        #expect(text.contains("user=\"1\""))
        #expect(!text.contains("user=\"2\""))
        #expect(text.contains("\nmetrics_dropped_series_total 3\n"))
    }

    @Test("one name is one kind: the second kind is kept out")
    func kinds() {
        Gauge(label: "size", factory: metrics).record(1)
        Recorder(label: "size", factory: metrics).record(1)
        let text = metrics.render()
        #expect(text.contains("# TYPE size gauge\nsize 1\n"))
        #expect(!text.contains("size_bucket"))
        #expect(text.contains("\nmetrics_dropped_series_total 1\n"))
    }

    @Test("many threads lose nothing")
    func concurrent() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { [metrics] in
                    for _ in 0..<1000 {
                        Counter(label: "n", factory: metrics).increment()
                        Timer(label: "t", factory: metrics).recordNanoseconds(1_000_000)
                    }
                }
            }
        }
        let text = metrics.render()
        #expect(text.contains("\nn_total 8000\n"))
        #expect(text.contains("\nt_seconds_count 8000\n"))
    }
}
