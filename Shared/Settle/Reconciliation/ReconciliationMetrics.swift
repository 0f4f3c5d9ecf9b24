import Foundation
import Metrics

/// What an operator watches of reconciliation.
struct ReconciliationMetrics: Sendable {
    private let lastRun = Gauge(label: "settle_reconciliation_last_run_timestamp_seconds")
    private let duration = Gauge(label: "settle_reconciliation_duration_seconds")
    private let clean = Gauge(label: "settle_reconciliation_clean")
    private let repaired = Counter(label: "settle_reconciliation_repaired_total")
    private let failed = Counter(label: "settle_reconciliation_failed_total")

    func ended(after duration: Duration, isClean: Bool, isComplete: Bool) {
        self.duration.record(duration / .seconds(1))
        clean.record(isClean ? 1 : 0)
        if !isComplete { failed.increment() }
        lastRun(endedAt: Date())
    }

    func found(_ kind: String, repaired: Bool) {
        // A handful of kinds, all of them ours or the application's.
        Counter(label: "settle_reconciliation_findings_total", dimensions: [("kind", kind)]).increment()
        if repaired { self.repaired.increment() }
    }

    func lastRun(endedAt: Date) { lastRun.record(endedAt.timeIntervalSince1970) }
}
