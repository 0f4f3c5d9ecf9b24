import SettleRabbitMQ
import ServiceLifecycle
import SettleTestSupport
import Testing

extension Proof {
    /// That the accounts suffice is what all the other tests show: their services use them.
    @Suite("Accounts at the broker", .timeLimit(.minutes(3)))
    struct BrokerAccountTests {
        enum Attempt: Sendable {
            case declare(queue: String), read(queue: String), publish(exchange: String)
        }

        private static let forbidden: [(Role, Attempt)] = [
            (.order, .declare(queue: "mine")), (.stock, .declare(queue: "mine")),
            (.userPoints, .declare(queue: "mine")),
            (.stock, .declare(queue: "cg_buying_addpoint")), (.userPoints, .declare(queue: "cg_buying_deductstock")),
            (.order, .read(queue: "cg_buying_addpoint")), (.order, .read(queue: "cg_buying_dead")),
            (.stock, .read(queue: "cg_buying_addpoint")), (.stock, .read(queue: "cg_buying_finishrestock")),
            (.userPoints, .read(queue: "cg_buying_restock")), (.userPoints, .read(queue: "cg_buying_finishaddpoint")),
            (.order, .publish(exchange: "")), (.stock, .publish(exchange: "amq.direct")),
            (.userPoints, .publish(exchange: "")),
        ]

        @Test("a service may not touch what is another's")
        func refused() async throws {
            try await Suite.with(start: false) { suite in
                // The queues are there, as in a suite that has run.
                try await suite.awaitReady(try suite.start(.order))
                for (role, attempt) in Self.forbidden { try await refused(suite, role, attempt) }
            }
        }

        private func refused(_ suite: Suite, _ role: Role, _ attempt: Attempt) async throws {
            let configuration = try RabbitMQConfiguration(url: suite.surroundings.amqpURL(of: role))
            let log = LogCollector()
            let publisher = RabbitMQPublisher(configuration, topology: Self.topology(attempt), logger: log.logger)
            let consumer = RabbitMQConsumer(
                configuration, topology: Topology(), subscriptions: Self.subscriptions(attempt), logger: log.logger)
            try await serving([publisher, consumer]) {
                if case .publish(let exchange) = attempt {
                    try await eventually("the publisher is up") { publisher.isUp }
                    let message = OutboundMessage(
                        exchange: exchange, routingKey: "cg_buying_addpoint", messageID: "1", body: [])
                    let outcomes = await publisher.publish([message])
                    #expect(outcomes != [.confirmed], "\(role) \(attempt)")
                }
                // The broker's code for a right that is missing.
                try await eventually("\(role) \(attempt) is refused") {
                    log.lines.contains { $0.contains("ACCESS_REFUSED") }
                }
            }
        }

        private static func topology(_ attempt: Attempt) -> Topology {
            if case .declare(let queue) = attempt { Topology(queues: [.init(name: queue)]) } else { Topology() }
        }

        private static func subscriptions(_ attempt: Attempt) -> [Subscription] {
            if case .read(let queue) = attempt { [Subscription(queue: queue) { _ in }] } else { [] }
        }
    }
}
