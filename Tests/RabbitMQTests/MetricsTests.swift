import Metrics
import Synchronization
import Testing

@testable import SettleRabbitMQ

@Suite struct MetricsTests {
    @Test func whatTwoOfOneProcessCountIsToldApartByName() {
        let recorder = LabelRecorder()
        for name in ["one", "two"] {
            PublisherMetrics(name: name, factory: recorder).settled(.confirmed)
            ConsumptionMetrics(name: name, queue: "q", factory: recorder).handled(messages: 3)
        }
        #expect(recorder.counted(#"rabbitmq_published_messages_total name=one outcome=confirmed"#) == 1)
        #expect(recorder.counted(#"rabbitmq_published_messages_total name=two outcome=confirmed"#) == 1)
        #expect(recorder.counted(#"rabbitmq_handled_messages_total name=one queue=q"#) == 3)
        #expect(recorder.counted(#"rabbitmq_handled_messages_total name=two queue=q"#) == 3)
    }
}

/// Counters by their label and dimensions, as one text.
private final class LabelRecorder: MetricsFactory {
    private final class Handler: CounterHandler {
        let count: @Sendable (Int64) -> Void

        init(count: @escaping @Sendable (Int64) -> Void) { self.count = count }

        func increment(by amount: Int64) { count(amount) }
        func reset() {}
    }

    private let counts = Mutex<[String: Int64]>([:])

    func counted(_ key: String) -> Int64? { counts.withLock { $0[key] } }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let key = ([label] + dimensions.map { "\($0)=\($1)" }).joined(separator: " ")
        return Handler { amount in self.counts.withLock { $0[key, default: 0] += amount } }
    }
    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        NOOPMetricsHandler.instance
    }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { NOOPMetricsHandler.instance }
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}
