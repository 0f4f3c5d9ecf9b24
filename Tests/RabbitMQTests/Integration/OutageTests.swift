import SettleCore
import SettleRabbitMQ
import SettleTestSupport
import Testing

/// What happens when the broker is away, dies, hangs or refuses: on a broker of the suite's own, one test at a time.
@Suite(.enabled(if: TestBroker.isPossible), .serialized, .ownBroker)
struct OutageTests {
    private let broker: TestBroker

    init() throws {
        broker = try #require(OwnBroker.current)
    }

    /// The first one: it starts the broker for all that follow.
    @Test func aBrokerThatIsAwayAtStartIsWaitedFor() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try broker.configuration(), topology: names.topology(), logger: quiet)
        let received = Received()
        let consumer = RabbitMQConsumer(
            try broker.configuration(), topology: names.topology(),
            subscriptions: [Subscription(queue: names.queue) { received.add($0) }], logger: quiet)
        try await serving([publisher, consumer]) {
            guard case .notSent = await publisher.publish([names.message(1)])[0] else {
                throw NotInTime("it is not sent")
            }
            #expect(!publisher.isUp && !consumer.isUp)
            try await broker.start()
            try await eventually("both come up") { publisher.isUp && consumer.isUp }
            #expect(await publisher.publish([names.message(2)]) == [.confirmed])
            try await eventually("it arrives") { received.ids == ["2"] }
        }
    }

    @Test func nothingConfirmedIsLostWhenTheBrokerDiesUnderLoad() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try broker.configuration(), topology: names.topology(), logger: quiet)
        let received = Received()
        let consumer = RabbitMQConsumer(
            try broker.configuration(), topology: names.topology(),
            subscriptions: [Subscription(queue: names.queue) { received.add($0) }], logger: quiet)
        let confirmed = IDs()
        try await serving([publisher, consumer]) {
            try await eventually("up") { publisher.isUp && consumer.isUp }
            let load = Task {
                var number = 0
                while !Task.isCancelled {
                    let messages = (number..<number + 50).map { names.message($0) }
                    number += 50
                    let outcomes = await publisher.publish(messages)
                    let ids = zip(messages, outcomes).filter { $0.1 == .confirmed }.map(\.0.messageID)
                    confirmed.add(ids)
                    if ids.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
                }
            }
            try await eventually("some are confirmed") { confirmed.count > 2000 }
            try await broker.kill()
            try await eventually("both notice") { !publisher.isUp && !consumer.isUp }
            let before = confirmed.count
            try await broker.start()
            try await eventually("publishing goes on") { confirmed.count > before + 2000 }
            load.cancel()
            _ = await load.result
            let all = confirmed.all
            try await eventually("all that was confirmed arrives") { all.isSubset(of: received.ids) }
        }
    }

    /// Else what can never be handled would come again after its queue was deleted to be rid of it.
    @Test func withItsQueueABatchInHandIsForgotten() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try broker.configuration(), topology: names.topology(), logger: quiet)
        let (received, handled) = (Received(), Received())
        let consumer = RabbitMQConsumer(
            try broker.configuration(), topology: names.topology(),
            subscriptions: [
                Subscription(queue: names.queue) { batch in
                    received.add(batch)
                    if batch.contains(where: { $0.messageID == "1" }) { throw Refusal() }
                    handled.add(batch)
                }
            ], logger: quiet)
        try await serving([publisher, consumer]) {
            try await eventually("up") { publisher.isUp && consumer.isUp }
            #expect(await publisher.publish([names.message(1)]) == [.confirmed])
            try await eventually("it fails, again and again") { received.all.count > 2 }
            try await broker.control("delete_queue", names.queue)
            try await eventually("the queue is there again") {
                await publisher.publish([names.message(2)]) == [.confirmed]
            }
            try await eventually("the next is handled") { handled.ids.contains("2") }
            #expect(received.all.last?.map(\.messageID) == ["2"])
        }
    }

    @Test func aDeletedQueueIsDeclaredAndConsumedAnew() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try broker.configuration(), topology: names.topology(), logger: quiet)
        let received = Received()
        let consumer = RabbitMQConsumer(
            try broker.configuration(), topology: names.topology(),
            subscriptions: [Subscription(queue: names.queue) { received.add($0) }], logger: quiet)
        try await serving([publisher, consumer]) {
            try await eventually("up") { publisher.isUp && consumer.isUp }
            try await broker.control("delete_queue", names.queue)
            try await eventually("it is there again") {
                await publisher.publish([names.message(1)]) == [.confirmed]
            }
            try await eventually("and consumed") { received.count > 0 && consumer.isUp }
        }
    }

    @Test func aHandlerOfALostConnectionIsNotAcknowledged() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try broker.configuration(), topology: names.topology(), logger: quiet)
        let received = Received()
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        // Away for long enough to be seen.
        var configuration = try broker.configuration()
        configuration.backoff = Backoff(initial: .seconds(1), cap: .seconds(1))
        let consumer = RabbitMQConsumer(
            configuration, topology: names.topology(),
            subscriptions: [
                Subscription(queue: names.queue) { batch in
                    received.add(batch)
                    if received.all.count == 1 { for await _ in released { break } }
                }
            ], logger: quiet)
        try await serving([publisher, consumer]) {
            try await eventually("up") { publisher.isUp && consumer.isUp }
            _ = await publisher.publish([names.message(1)])
            try await eventually("the handler runs") { received.count == 1 }
            try await broker.control("close_all_connections", "test")
            try await eventually("the connection is lost") { !consumer.isUp }
            try await eventually("and back") { consumer.isUp }
            #expect(received.count == 1, "one handler at a time")
            release.yield()
            try await eventually("it comes again") { received.count == 2 }
        }
        #expect(received.all[1][0].redelivered)
    }

    @Test(arguments: ["forbidden", "internal"])
    func anExchangeThatMayNotBeWrittenToHarmsItsNeighboursOnceAtMost(why: String) async throws {
        let (names, other) = (Names(), Names())
        let exchange = "\(why).\(other.exchange)"
        let user = "u.\(other.exchange)"
        try await broker.control("add_user", user, "word")
        try await broker.control("set_permissions", user, ".*", "^(?!forbidden).*", ".*")
        let declaration = """
            rabbit_exchange:declare(rabbit_misc:r(<<"/">>, exchange, <<"\(exchange)">>), direct, true, false, \
            \(why == "internal"), [], <<"guest">>).
            """
        try await broker.control("eval", declaration)
        let configuration = TestServer.impatient(
            try RabbitMQConfiguration(url: "amqp://\(user):word@127.0.0.1:\(broker.port)"))
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            var messages = (0..<20).map { names.message($0) }
            messages[7].exchange = exchange
            _ = await publisher.publish(messages)
            for _ in 0..<5 {
                let outcomes = await publisher.publish(messages)
                guard case .returned(403, let text) = outcomes[7] else {
                    Issue.record("\(outcomes[7])")
                    continue
                }
                #expect(text.hasPrefix("ACCESS_REFUSED") && text.contains(exchange))
                #expect(outcomes.count { $0 == .confirmed } == 19)
            }
            guard why == "forbidden" else { return }
            try await broker.control("set_permissions", user, ".*", ".*", ".*")
            try await eventually("once it may be written to, it is, and no neighbour is lost") {
                let outcomes = await publisher.publish(messages)
                #expect(outcomes.count { $0 == .confirmed } == 19)
                return outcomes[7] == .returned(code: 312, text: "NO_ROUTE")
            }
        }
    }

    @Test func anAlarmBlocksAndItsEndUnblocks() async throws {
        let names = Names()
        let publisher = RabbitMQPublisher(try broker.configuration(), topology: names.topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            try await broker.control("set_vm_memory_high_watermark", "0.000001")
            // The broker says so to whoever publishes next; that message waits for the alarm's end.
            let first = Task { await publisher.publish([names.message(1)]) }
            try await eventually("blocked") { publisher.isBlocked }
            #expect(publisher.isUp)
            guard case .notSent(let reason) = await publisher.publish([names.message(2)])[0] else {
                throw NotInTime("it is not sent")
            }
            #expect(reason.contains("blocked"))
            try await broker.control("set_vm_memory_high_watermark", "0.8")
            #expect(await first.value == [.confirmed])
            try await eventually("unblocked") { !publisher.isBlocked }
            #expect(await publisher.publish([names.message(3)]) == [.confirmed])
        }
    }

    @Test func aBigBatchIntoAnAlarmEndsInTime() async throws {
        let names = Names()
        var configuration = try broker.configuration()
        (configuration.confirmTimeout, configuration.heartbeat) = (.seconds(2), .seconds(1))
        configuration.shutdownTimeout = .seconds(1)
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            try await broker.control("set_vm_memory_high_watermark", "0.000001")
            let large = String(repeating: "x", count: 8 * 1024 * 1024)
            let start = ContinuousClock.now
            let outcomes = await publisher.publish((0..<12).map { names.message($0, body: large) })
            #expect(outcomes.allSatisfy { $0.isMissing })
            #expect(start.duration(to: .now) < .seconds(15))
        }
        try await broker.control("set_vm_memory_high_watermark", "0.8")
    }

    @Test func aBrokerThatHangsIsNoticedByItsSilence() async throws {
        let names = Names()
        var configuration = try broker.configuration()
        configuration.heartbeat = .seconds(1)
        configuration.operationTimeout = .seconds(1)
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        let consumer = RabbitMQConsumer(
            configuration, topology: names.topology(), subscriptions: [Subscription(queue: names.queue) { _ in }],
            logger: quiet)
        try await serving([publisher, consumer]) {
            try await eventually("up") { publisher.isUp && consumer.isUp }
            try broker.freeze()
            let large = String(repeating: "x", count: 5 * 1024 * 1024)
            let start = ContinuousClock.now
            let outcomes = await publisher.publish((0..<12).map { names.message($0, body: large) })
            #expect(outcomes.allSatisfy { $0.isMissing })
            try await eventually("both notice") { !publisher.isUp && !consumer.isUp }
            #expect(start.duration(to: .now) < .seconds(15))
            try broker.thaw()
            try await eventually("both are back") { publisher.isUp && consumer.isUp }
            #expect(await publisher.publish([names.message(99)]) == [.confirmed])
        }
    }

    @Test func tlsVerifiesTheBroker() async throws {
        let names = Names()
        let trusting = "amqps://localhost:\(broker.tlsPort)?cacertfile=\(broker.authorities)"
        let cases = [
            (trusting, true), ("amqps://localhost:\(broker.tlsPort)", false),
            ("amqps://127.0.0.1:\(broker.tlsPort)?cacertfile=\(broker.authorities)", false),
            ("amqps://127.0.0.1:\(broker.tlsPort)?verify=verify_none", true),
        ]
        for (url, isGood) in cases {
            let configuration = TestServer.impatient(try RabbitMQConfiguration(url: url))
            let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
            try await serving([publisher]) {
                if isGood {
                    try await eventually("up") { publisher.isUp }
                    let large = names.message(1, body: String(repeating: "x", count: 5 * 1024 * 1024))
                    #expect(await publisher.publish([large, names.message(2)]) == [.confirmed, .confirmed])
                } else {
                    try await eventually("it is refused because of its certificate") {
                        guard case .notSent(let reason) = await publisher.publish([names.message(1)])[0] else {
                            return false
                        }
                        return reason.contains("verification")
                    }
                    #expect(!publisher.isUp)
                }
            }
        }
    }
}

extension PublishOutcome {
    /// Whether the broker's word on it never came, sent or not.
    fileprivate var isMissing: Bool {
        switch self {
        case .lost, .notSent: true
        case .confirmed, .returned, .nacked: false
        }
    }
}
