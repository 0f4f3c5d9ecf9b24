public import CoreMetrics
import Synchronization

/// The process's metrics as Prometheus text (exposition format 0.0.4), fed by swift-metrics.
///
/// Names: characters that Prometheus does not take become `_`; counters end in `_total` and timers in `_seconds`.
/// Timers and aggregating recorders are histograms with fixed buckets.
public final class PrometheusMetrics: MetricsFactory, Sendable {
    private let families = Mutex<[String: PrometheusFamily]>([:])
    private let dropped = Atomic<Int>(0)
    private let maxSeries: Int

    /// - Parameter maxSeries: how many combinations of labels one name may have. What comes beyond is not kept but
    ///   counted in `metrics_dropped_series_total`: a label that should not be one must not eat the memory.
    public init(maxSeries: Int = 1000) { self.maxSeries = maxSeries }

    /// The text that `/metrics` answers with, sorted by name.
    public func render() -> String {
        let families = families.withLock { $0 }
        var text = PrometheusText()
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text.header(name: name, help: family.label, kind: family.kind)
            for (labels, cell) in family.series.sorted(by: { $0.key < $1.key }) {
                text.add(cell, name: name, labels: labels)
            }
        }
        text.header(name: "metrics_dropped_series_total", help: "series beyond the limit", kind: .counter)
        text.sample("metrics_dropped_series_total", "", Double(dropped.load(ordering: .relaxed)))
        return text.text
    }

    private func cell(
        _ kind: PrometheusKind, _ label: String, suffix: String, _ dimensions: [(String, String)],
        make: () -> PrometheusCell
    ) -> PrometheusCell {
        let name = PrometheusText.name(label, suffix: suffix)
        let labels = PrometheusText.labels(dimensions)
        return families.withLock { families in
            var family = families[name] ?? PrometheusFamily(kind: kind, label: label)
            if let known = family.series[labels], family.kind == kind { return known }
            let new = make()
            // One name cannot be two kinds of metric in the format: the later kind is kept out of it.
            guard family.kind == kind, family.series.count < maxSeries else {
                dropped.add(1, ordering: .relaxed)
                return new
            }
            family.series[labels] = new
            families[name] = family
            return new
        }
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> PrometheusGauge {
        cell(.gauge, label, suffix: "", dimensions) { .gauge(PrometheusGauge()) }.asGauge
    }

    private func histogram(
        _ label: String, suffix: String, _ dimensions: [(String, String)], _ bounds: [Double], divisor: Double
    ) -> PrometheusHistogram {
        cell(.histogram, label, suffix: suffix, dimensions) {
            .histogram(PrometheusHistogram(bounds: bounds, divisor: divisor))
        }.asHistogram
    }
}

extension PrometheusMetrics {
    /// A counter.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        cell(.counter, label, suffix: "_total", dimensions) { .counter(PrometheusCounter()) }.asCounter
    }

    /// A counter of fractions.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        cell(.counter, label, suffix: "_total", dimensions) { .counter(PrometheusCounter()) }.asCounter
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions)
    }

    /// A histogram when it aggregates, else a gauge.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if !aggregate { return gauge(label, dimensions) }
        return histogram(label, suffix: "", dimensions, PrometheusHistogram.countBounds, divisor: 1)
    }

    /// A histogram in seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, suffix: "_seconds", dimensions, PrometheusHistogram.secondBounds, divisor: 1e9)
    }

    // A handler is shared by all who asked for the same name and labels, and a counter must not go back to zero while
    // the process lives: destroying one user's handle leaves the series.

    /// Keeps the series.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Keeps the series.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Keeps the series.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Keeps the series.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Keeps the series.
    public func destroyTimer(_ handler: any TimerHandler) {}
}
