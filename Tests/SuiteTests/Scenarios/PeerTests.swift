import Foundation
import SettleRabbitMQ
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Peers", .timeLimit(.minutes(2)))
    struct PeerTests {
        @Test("a peer that echoes the task as its answer, with fields of its own, settles orders as user-points does")
        func echo() async throws {
            try await Suite.with { suite in
                try await suite.stop(try suite.process(.userPoints))
                let publisher = suite.publisher
                let echo = Subscription(queue: "cg_buying_addpoint") { deliveries in
                    let answers = deliveries.map { delivery in
                        let text = String(decoding: delivery.body, as: UTF8.self)
                        return OutboundMessage(
                            exchange: Suite.exchange, routingKey: "finishaddpoint",
                            messageID: delivery.messageID ?? "",
                            body: Array((text.dropLast() + #","peer":{"name":"echo","tags":[1,null]}}"#).utf8))
                    }
                    let outcomes = await publisher.publish(answers)
                    guard outcomes.allSatisfy({ $0 == .confirmed }) else {
                        throw NotInTime("answers are not confirmed")
                    }
                }
                let peer = RabbitMQConsumer(
                    try RabbitMQConfiguration(url: suite.surroundings.amqpURL), topology: Topology(),
                    subscriptions: [echo], logger: quiet)
                try await serving([peer]) {
                    let attempts = await suite.load(clients: 8, limit: 200).finished()
                    #expect(attempts.count(status: 201) == 200, "\(attempts.summary)")
                    try await suite.awaitSettled()
                }
                let ledger = try await Ledger(suite)
                #expect(ledger.settled.count == 200)
                #expect(ledger.archive.count { $0.type == "addpoint" && $0.status == "finished" } == 200)
                #expect(ledger.pointLog.isEmpty)
            }
        }
    }
}
