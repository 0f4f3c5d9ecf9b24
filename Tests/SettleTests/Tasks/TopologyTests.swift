import SettleRabbitMQ
import Testing

@testable import Settle

@Suite("Topology of tasks")
struct TopologyTests {
    private let routes = ["addpoint", "restock"].map {
        TaskRoute(taskType: $0, exchange: "ex", queuePrefix: "cg_")
    }

    @Test("a route's names")
    func route() {
        let route = routes[0]
        #expect(route.routingKey == "addpoint")
        #expect(route.answerRoutingKey == "finishaddpoint")
        #expect(route.queue == "cg_addpoint")
        #expect(route.answerQueue == "cg_finishaddpoint")
    }

    @Test("both queues of each route, the exchange once, and the dead letters")
    func topology() {
        let topology = Topology.tasks(routes, deadLetters: DeadLetterRoute(exchange: "ex_dead", queue: "dead"))
        #expect(topology.exchanges.map(\.name).sorted() == ["ex", "ex_dead"])
        #expect(
            topology.queues.map(\.name).sorted()
                == ["cg_addpoint", "cg_finishaddpoint", "cg_finishrestock", "cg_restock", "dead"])
        let keys = topology.bindings.filter { $0.exchange == "ex" }.map { "\($0.routingKey)>\($0.queue)" }
        #expect(
            keys.sorted() == [
                "addpoint>cg_addpoint", "finishaddpoint>cg_finishaddpoint", "finishrestock>cg_finishrestock",
                "restock>cg_restock",
            ])
        #expect(topology.bindings.filter { $0.exchange == "ex_dead" }.map(\.queue) == ["dead"])
    }

    @Test("sender and receiver agree on all they share, so that whoever declares first does not matter")
    func agreement() {
        let deadLetters = DeadLetterRoute(exchange: "ex_dead", queue: "dead")
        let sender = Topology.tasks(routes, deadLetters: deadLetters)
        let receiver = Topology.tasks([routes[1]], deadLetters: deadLetters)
        #expect(receiver.exchanges.allSatisfy(sender.exchanges.contains))
        #expect(receiver.queues.allSatisfy(sender.queues.contains))
        #expect(receiver.bindings.allSatisfy(sender.bindings.contains))
    }
}
