import SettleRabbitMQ
import SettleTestSupport
import Testing

@Suite(.enabled(if: TestServer.isThere))
struct RoundTripTests {
    @Test func tenThousandMessagesAreConfirmedAndArrive() async throws {
        let names = Names()
        let configuration = try TestServer.configuration()
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        let received = Received()
        let consumer = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [Subscription(queue: names.queue) { received.add($0) }], logger: quiet)
        try await serving([publisher, consumer]) {
            try await eventually("both come up") { publisher.isUp && consumer.isUp }
            for start in stride(from: 0, to: 10_000, by: 500) {
                let outcomes = await publisher.publish((start..<start + 500).map { names.message($0) })
                #expect(outcomes == Array(repeating: .confirmed, count: 500))
            }
            try await eventually("all arrive") { received.count >= 10_000 }
        }
        #expect(received.ids == (0..<10_000).map(String.init))
        #expect(received.all.allSatisfy { $0.count <= 500 })
        #expect(received.all.count < 10_000)
    }
}
