import SettleRabbitMQ
import Testing

@Suite struct TopologyTests {
    @Test func mergingAddsWhatIsMissingAndKeepsTheOrder() {
        let one = Topology(
            exchanges: [.init(name: "a")], queues: [.init(name: "q")],
            bindings: [.init(queue: "q", exchange: "a", routingKey: "k")])
        let two = Topology(
            exchanges: [.init(name: "a"), .init(name: "b", kind: .topic)],
            queues: [.init(name: "r", kind: .quorum, arguments: ["x-max-length": 5])],
            bindings: [.init(queue: "r", exchange: "b", routingKey: "#")])
        let both = one.merging(two)
        #expect(both.exchanges.map(\.name) == ["a", "b"])
        #expect(both.queues == one.queues + two.queues)
        #expect(both.bindings == one.bindings + two.bindings)
        #expect(both.merging(one) == both)
    }
}
