import SettleCore
import Synchronization

/// The rows that were held a moment ago: whoever needs one is set aside without a try that would keep its neighbours
/// waiting. Only a memory; what it forgets costs one short wait.
final class HeldRows: Sendable {
    /// For how long a row counts as held after it was seen so. Longer than most pauses between two tries of those that
    /// wait for it, which renew it.
    private static let memory = Duration.seconds(2)
    private static let limit = 10_000

    private let until = Mutex<[ByteKey: ContinuousClock.Instant]>([:])

    func note(_ rows: some Collection<ByteKey>, at now: ContinuousClock.Instant = .now) {
        guard !rows.isEmpty else { return }
        until.withLock { until in
            until = until.filter { $0.value > now }
            for row in rows where until.count < Self.limit || until[row] != nil { until[row] = now + Self.memory }
        }
    }

    /// Whether there are none, as nearly always.
    func isEmpty(at now: ContinuousClock.Instant = .now) -> Bool {
        until.withLock { until in
            if !until.isEmpty { until = until.filter { $0.value > now } }
            return until.isEmpty
        }
    }

    /// Whether any of `rows` is.
    func contains(anyOf rows: [ByteKey], at now: ContinuousClock.Instant = .now) -> Bool {
        until.withLock { until in !until.isEmpty && rows.contains { until[$0].map { $0 > now } ?? false } }
    }
}
