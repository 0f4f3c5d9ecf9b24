import CoreMetrics
import Synchronization

/// Grows only; whole steps take one atomic addition.
final class PrometheusCounter: CounterHandler, FloatingPointCounterHandler {
    private let whole = Atomic<Int64>(0)
    private let fraction = Mutex(0.0)

    var value: Double { Double(whole.load(ordering: .relaxed)) + fraction.withLock { $0 } }

    func increment(by amount: Int64) { whole.wrappingAdd(amount, ordering: .relaxed) }

    func increment(by amount: Double) {
        guard amount.isFinite, amount > 0 else { return }
        fraction.withLock { $0 += amount }
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        fraction.withLock { $0 = 0 }
    }
}

/// Goes up and down; the last value stands.
final class PrometheusGauge: MeterHandler, RecorderHandler {
    private let current = Mutex(0.0)

    var value: Double { current.withLock { $0 } }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { current.withLock { $0 = value } }
    func increment(by amount: Double) { current.withLock { $0 += amount } }
    func decrement(by amount: Double) { current.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
}

/// Counts how many values fell under each bound.
final class PrometheusHistogram: RecorderHandler, TimerHandler {
    struct State {
        /// Not cumulative; the last one is for values above all bounds.
        var counts: [UInt64]
        var sum = 0.0
    }

    static let secondBounds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]
    /// For batch sizes, queue lengths, bytes.
    static let countBounds: [Double] = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000, 1_000_000,
    ]

    let bounds: [Double]
    private let divisor: Double
    private let mutex: Mutex<State>

    /// - Parameter divisor: what a recorded value is divided by to be in the unit that is shown.
    init(bounds: [Double], divisor: Double) {
        self.bounds = bounds
        self.divisor = divisor
        mutex = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    var state: State { mutex.withLock { $0 } }

    /// In the unit that is shown. Divided once: a sum of rounded quotients drifts.
    func sum(_ state: State) -> Double { state.sum / divisor }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        let shown = value / divisor
        let index = bounds.firstIndex { shown <= $0 } ?? bounds.count
        mutex.withLock { state in
            state.counts[index] += 1
            state.sum += value
        }
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration)) }
}
