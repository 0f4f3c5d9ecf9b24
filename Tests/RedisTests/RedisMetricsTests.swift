import Metrics
import SettleTestSupport
import Synchronization
import Testing

@testable import SettleRedis

@Suite("Redis metrics")
struct RedisMetricsTests {
    @Test("two clients of one process are told apart by name; an outage counts once")
    func names() {
        let recorder = LabelRecorder()
        let (one, two) = (RedisMetrics(name: "one", factory: recorder), RedisMetrics(name: "two", factory: recorder))
        one.serving()
        two.serving()
        two.away(wasServing: true)
        two.away(wasServing: false)
        #expect(recorder.values["redis_up name=one"] == 1)
        #expect(recorder.values["redis_up name=two"] == 0)
        #expect(recorder.values["redis_outages_total name=two"] == 1)
        #expect(recorder.values["redis_outages_total name=one"] == nil)
    }
}

/// Counters and gauges by their label and dimensions, as one text.
private final class LabelRecorder: MetricsFactory {
    private final class Handler: CounterHandler, RecorderHandler {
        let change: @Sendable ((Double) -> Double) -> Void

        init(change: @escaping @Sendable ((Double) -> Double) -> Void) { self.change = change }

        func increment(by amount: Int64) { change { $0 + Double(amount) } }
        func record(_ value: Int64) { change { _ in Double(value) } }
        func record(_ value: Double) { change { _ in value } }
        func reset() {}
    }

    private let state = Mutex<[String: Double]>([:])

    var values: [String: Double] { state.withLock { $0 } }

    private func handler(_ label: String, _ dimensions: [(String, String)]) -> Handler {
        let key = ([label] + dimensions.map { "\($0)=\($1)" }).joined(separator: " ")
        return Handler { change in self.state.withLock { $0[key] = change($0[key] ?? 0) } }
    }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { handler(label, dimensions) }
    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        handler(label, dimensions)
    }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { NOOPMetricsHandler.instance }
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}
