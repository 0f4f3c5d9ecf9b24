import SettleRabbitMQ
import SettleTestSupport
import Synchronization
import Testing

@Suite(.enabled(if: TestServer.isThere))
struct ConsumerTests {
    @Test func everythingOfAMessageArrives() async throws {
        let names = Names()
        let message = OutboundMessage(
            exchange: names.exchange, routingKey: names.key, messageID: "an id", body: Array("{}".utf8),
            headers: ["Settle-XID": "x-1", "other": "ä"])
        let received = try await roundTrip(names, [message])
        #expect(
            received
                == [
                    Delivery(
                        queue: names.queue, exchange: names.exchange, routingKey: names.key, messageID: "an id",
                        headers: message.headers, redelivered: false, body: message.body)
                ])
    }

    @Test(arguments: [0, 1, 131_063, 131_064, 131_065, 5 * 1024 * 1024])
    func bodiesOfAllSizesArriveWhole(size: Int) async throws {
        let names = Names()
        var message = names.message(1)
        message.body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        #expect(try await roundTrip(names, [message, names.message(2)]).first?.body == message.body)
    }

    @Test func quorumQueuesWork() async throws {
        let names = Names()
        let messages = (0..<200).map { names.message($0) }
        #expect(try await roundTrip(names, messages, .quorum).map(\.body) == messages.map(\.body))
    }

    @Test func aHandlerThatThrowsGetsTheSameBatchAgain() async throws {
        let names = Names()
        let configuration = try TestServer.configuration()
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        let received = Received()
        let consumer = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [
                Subscription(queue: names.queue, prefetch: 10) { batch in
                    received.add(batch)
                    if received.all.count <= 3 { throw Refusal() }
                }
            ], logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            _ = await publisher.publish((0..<10).map { names.message($0) })
            try await serving([consumer]) {
                try await eventually("every message is handled") {
                    Set(received.ids).count == 10 && received.all.count > 3
                }
            }
        }
        let batches = received.all
        #expect(batches[1] == batches[0])
        #expect(batches[2] == batches[0])
        #expect(batches[3] == batches[0])
        #expect(batches.joined().allSatisfy { !$0.redelivered })
    }

    @Test func whatWasNotHandledComesAgain() async throws {
        let names = Names()
        let configuration = try TestServer.configuration()
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        let (first, second) = (Received(), Received())
        let failing = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [
                Subscription(queue: names.queue) { batch in
                    first.add(batch)
                    throw Refusal()
                }
            ], logger: quiet)
        let working = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [Subscription(queue: names.queue) { second.add($0) }], logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            _ = await publisher.publish((0..<5).map { names.message($0) })
        }
        try await serving([failing]) { try await eventually("tried") { first.count >= 5 } }
        try await serving([working]) { try await eventually("handled") { second.count >= 5 } }
        #expect(second.ids.sorted() == (0..<5).map(String.init))
        #expect(second.all.joined().allSatisfy { $0.redelivered })
    }

    @Test func oneHandlerRunsAtATimeWithAllThatGathered() async throws {
        let names = Names()
        let configuration = try TestServer.configuration()
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        let running = Mutex((now: 0, most: 0, seen: 0, largest: 0))
        let consumer = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [
                Subscription(queue: names.queue, prefetch: 64) { batch in
                    running.withLock {
                        $0.now += 1
                        $0.most = max($0.most, $0.now)
                        $0.largest = max($0.largest, batch.count)
                    }
                    try await Task.sleep(for: .milliseconds(5))
                    running.withLock {
                        $0.now -= 1
                        $0.seen += batch.count
                    }
                }
            ], logger: quiet)
        try await serving([publisher, consumer]) {
            try await eventually("up") { publisher.isUp && consumer.isUp }
            _ = await publisher.publish((0..<1000).map { names.message($0) })
            try await eventually("all handled") { running.withLock { $0.seen } == 1000 }
        }
        let (most, largest) = running.withLock { ($0.most, $0.largest) }
        #expect(most == 1)
        #expect(largest > 1 && largest <= 64)
    }

    @Test func shuttingDownLetsTheHandlerEndAndAcknowledges() async throws {
        let names = Names()
        let configuration = try TestServer.configuration()
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        let ended = Mutex(0)
        let after = Received()
        let consumer = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [
                Subscription(queue: names.queue, prefetch: 1) { _ in
                    begin.yield()
                    for await _ in released { break }
                    ended.withLock { $0 += 1 }
                }
            ], logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            _ = await publisher.publish([names.message(1), names.message(2)])
        }
        let (ready, beReady) = AsyncStream.makeStream(of: Void.self)
        let stopping = ThenAtShutdown(service: consumer) {
            for await _ in begun { break }
        } ready: {
            beReady.finish()
        } act: {
            release.finish()
        }
        try await serving([stopping]) { for await _ in ready {} }
        #expect(ended.withLock { $0 } == 1)
        let rest = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [Subscription(queue: names.queue) { after.add($0) }], logger: quiet)
        try await serving([rest]) { try await eventually("the other one is there") { after.count > 0 } }
        #expect(after.ids == ["2"])
    }

    @Test func shuttingDownDoesNotWaitForAHandlerForEver() async throws {
        let names = Names()
        var configuration = try TestServer.configuration()
        configuration.shutdownTimeout = .milliseconds(200)
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let (cancelled, wasCancelled) = AsyncStream.makeStream(of: Void.self)
        let consumer = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [
                Subscription(queue: names.queue) { _ in
                    begin.yield()
                    defer { wasCancelled.yield() }
                    try await Task.sleep(for: .seconds(3600))
                }
            ], logger: quiet)
        try await serving([publisher, consumer]) {
            try await eventually("up") { publisher.isUp }
            _ = await publisher.publish([names.message(1)])
            for await _ in begun { break }
        }
        for await _ in cancelled { break }
    }

    @Test func aMessageThatIsTooLargeIsHandedOverWithoutItsBodyAndAcknowledged() async throws {
        let names = Names()
        let configuration = try TestServer.configuration()
        var strict = configuration
        strict.maxDelivery = 1000
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        let (received, rest) = (Received(), Received())
        let consumer = RabbitMQConsumer(
            strict, topology: names.topology(), subscriptions: [Subscription(queue: names.queue) { received.add($0) }],
            logger: quiet)
        try await serving([publisher, consumer]) {
            try await eventually("up") { publisher.isUp && consumer.isUp }
            var large = names.message(2, body: String(repeating: "x", count: 500_000))
            large.headers = ["h": "v"]
            _ = await publisher.publish([names.message(1), large, names.message(3)])
            try await eventually("all three arrive") { received.count == 3 }
        }
        #expect(received.ids == ["1", "2", "3"])
        let delivery = received.all.flatMap(\.self)[1]
        #expect(delivery.isTooLarge && delivery.bodySize == 500_000 && delivery.body.isEmpty)
        #expect(delivery.headers == ["h": "v"])
        let other = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [Subscription(queue: names.queue) { rest.add($0) }],
            logger: quiet)
        let again = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        try await serving([again, other]) {
            try await eventually("up") { again.isUp }
            _ = await again.publish([names.message(4)])
            try await eventually("the next arrives") { rest.count > 0 }
        }
        #expect(rest.ids == ["4"])
    }

    @Test(arguments: [Topology.Queue.Kind.classic, .quorum])
    func moreThanMayBeHeldComesInRoundsAndAllOfItArrives(kind: Topology.Queue.Kind) async throws {
        let names = Names()
        var configuration = try TestServer.configuration()
        (configuration.maxHeldBytes, configuration.maxBatchBytes) = (500_000, 250_000)
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(kind), logger: quiet)
        let received = Received()
        configuration.maxDelivery = 100_000
        let consumer = RabbitMQConsumer(
            configuration, topology: names.topology(kind),
            subscriptions: [Subscription(queue: names.queue, prefetch: 60) { received.add($0) }], logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            // Large ones, and small ones between them that must not be acknowledged with their neighbours.
            let messages = (0..<100).map { number in
                names.message(number, body: String(repeating: "x", count: number % 3 == 2 ? 10 : 90_000))
            }
            #expect(await publisher.publish(messages).allSatisfy { $0 == .confirmed })
            try await serving([consumer]) {
                try await eventually("all arrive") { Set(received.ids).count == 100 }
            }
        }
        #expect(received.ids.count == 100, "each once")
        #expect(received.all.allSatisfy { $0.reduce(0) { $0 + $1.body.count } <= 250_000 })
        #expect(received.all.joined().contains { $0.redelivered }, "some were given back")
    }

    @Test func aQueueThatIsMissingIsWaitedForAndTheOthersWork() async throws {
        let (names, late) = (Names(), Names())
        let configuration = try TestServer.configuration()
        let (received, lateReceived) = (Received(), Received())
        let consumer = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [
                Subscription(queue: late.queue) { lateReceived.add($0) },
                Subscription(queue: names.queue) { received.add($0) },
            ], logger: quiet)
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        try await serving([consumer, publisher]) {
            try await eventually("up") { publisher.isUp }
            _ = await publisher.publish([names.message(1)])
            try await eventually("the queue that is there is consumed") { received.count == 1 }
            #expect(!consumer.isUp)
            let other = RabbitMQPublisher(configuration, topology: late.topology(), logger: quiet)
            try await serving([other]) {
                try await eventually("the queue comes into being") { other.isUp }
                _ = await other.publish([late.message(2)])
            }
            try await eventually("and is consumed") { lateReceived.count == 1 }
            try await eventually("so that all is well") { consumer.isUp }
        }
    }

    private func roundTrip(
        _ names: Names, _ messages: [OutboundMessage], _ kind: Topology.Queue.Kind = .classic
    ) async throws -> [Delivery] {
        var configuration = try TestServer.configuration()
        configuration.maxDelivery = configuration.maxMessage
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(kind), logger: quiet)
        let received = Received()
        let consumer = RabbitMQConsumer(
            configuration, topology: names.topology(kind),
            subscriptions: [Subscription(queue: names.queue) { received.add($0) }], logger: quiet)
        try await serving([publisher, consumer]) {
            try await eventually("up") { publisher.isUp && consumer.isUp }
            #expect(await publisher.publish(messages).allSatisfy { $0 == .confirmed })
            try await eventually("all arrive") { received.count >= messages.count }
        }
        return received.all.flatMap(\.self)
    }
}

struct Refusal: Error {}
