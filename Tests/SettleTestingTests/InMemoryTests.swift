import Foundation
import Settle
import SettleRabbitMQ
import SettleTesting
import Synchronization
import Testing

@Suite("Senders and receivers in memory", .timeLimit(.minutes(1)))
struct InMemoryTests {
    private static let mail = TaskRoute(taskType: "sendmail", exchange: "ex", queuePrefix: "q_")
    private static let bill = TaskRoute(taskType: "bill", exchange: "ex", queuePrefix: "q_")

    struct Mail: Codable, Sendable {
        let order: String
        var address = "a@example.org"
    }

    struct Strange: Error {}

    /// Keeps in memory what was sent, and knows what it sent before.
    final class Mailer: TaskApplier {
        let sent = Mutex<[String]>([])
        let fails: Bool
        init(fails: Bool = false) { self.fails = fails }

        func dedupKey(of body: Mail) -> String { body.order }
        func check(_ body: Mail) throws {
            if body.address.isEmpty { throw UnreadableMessage(description: "no address") }
        }

        func apply(_ tasks: [ReceivedTask<Mail>]) async throws -> [TaskOutcome] {
            if fails { throw Strange() }
            return sent.withLock { sent in
                tasks.map { task in
                    if task.body.address == "nobody" { return .rejected(reason: "no such address") }
                    if sent.contains(task.body.order) { return .duplicate(.finished) }
                    sent.append(task.body.order)
                    return .applied
                }
            }
        }
    }

    private func draft(_ order: String, _ address: String = "a@example.org", _ route: TaskRoute = mail) throws
        -> TaskDraft
    {
        try TaskDraft(route, businessKey: order, body: Mail(order: order, address: address), traceParent: nil)
    }

    @Test(
        "a delayed one waits for the clock, one with a line for the one before, one with a unique key is the only one")
    func options() async throws {
        let broker = InMemoryBroker(reverses: true)
        let ends = Mutex<[String]>([])
        let sender = InMemorySender([Self.mail], broker: broker) { task in
            ends.withLock { $0.append("\(task.businessKey) \(task.end)") }
            return []
        }
        let mailer = Mailer()
        InMemoryReceiver(Self.mail, applier: mailer, broker: broker)
        func draft(_ order: String, _ options: TaskOptions) throws -> TaskDraft {
            try TaskDraft(Self.mail, businessKey: order, body: Mail(order: order), traceParent: nil, options: options)
        }
        for order in ["a", "b", "c"] { sender.send(try draft(order, TaskOptions(orderKey: "line"))) }
        let later = try draft("later", TaskOptions(notBefore: sender.now + 60, uniqueKey: "one"))
        let ids = [sender.send(later), sender.send(later)]
        #expect(ids[0] == ids[1])
        sender.send(try draft("never", TaskOptions(notBefore: sender.now + 600, expiresAt: sender.now + 601)))
        try await broker.run()
        #expect(mailer.sent.withLock { $0 } == ["a", "b", "c"])
        sender.advance(by: .seconds(60))
        try await broker.run()
        #expect(mailer.sent.withLock { $0 } == ["a", "b", "c", "later"])
        broker.setUp(false)
        sender.advance(by: .seconds(600))
        try await broker.run()
        #expect(ends.withLock { $0 }.last == "never expired")
        #expect(sender.unanswered.isEmpty)
    }

    @Test("a task is applied, then answered, then acknowledged, then archived")
    func order() async throws {
        let broker = InMemoryBroker()
        let sender = InMemorySender([Self.mail], broker: broker)
        InMemoryReceiver(Self.mail, applier: Mailer(), broker: broker)
        sender.send(try draft("o1"))
        try await broker.run()
        #expect(
            broker.events == [
                .sent(1), .decided(1, .applied), .answered(1, .finished), .acknowledged(1), .archived(1, .finished),
            ])
        #expect(sender.archive.map(\.businessKey) == ["o1"])
        #expect(sender.unanswered.isEmpty)
    }

    @Test(
        "copies, losses, another order, a crash anywhere: applied once, archived once, and followed once",
        arguments: [
            "", "inbox.beforeCommit=throw@1", "inbox.committed=throw@1", "inbox.answered=throw@1",
            "finish.beforeCommit=throw@1", "finish.committed=throw@1",
        ])
    func trouble(fault: String) async throws {
        for (copies, losing, reverses) in [(1, 0, false), (3, 0, false), (1, 3, false), (2, 2, true)] {
            let broker = InMemoryBroker(copies: copies, losing: losing, reverses: reverses)
            let sender = InMemorySender([Self.mail, Self.bill], broker: broker, failpoints: try Failpoints(fault)) {
                $0.taskType == "sendmail" ? [try draft($0.businessKey, "b@example.org", Self.bill)] : []
            }
            let (mailer, biller) = (Mailer(), Mailer())
            InMemoryReceiver(Self.mail, applier: mailer, broker: broker, failpoints: try Failpoints(fault))
            InMemoryReceiver(Self.bill, applier: biller, broker: broker)
            for number in 1...5 { sender.send(try draft("o\(number)")) }
            try await broker.run()
            let orders = (1...5).map { "o\($0)" }
            #expect(mailer.sent.withLock { $0 }.sorted() == orders)
            #expect(biller.sent.withLock { $0 }.sorted() == orders)
            #expect(sender.archive.count == 10 && sender.unanswered.isEmpty)
            let lost = broker.events.count { if case .lost = $0 { true } else { false } }
            #expect(lost == losing)
        }
    }

    @Test("a refusal is an answer, and what follows from it follows once")
    func refusal() async throws {
        let broker = InMemoryBroker(copies: 2)
        let undone = Mutex<[String]>([])
        let sender = InMemorySender([Self.mail], broker: broker) { task in
            if task.answer != .finished { undone.withLock { $0.append(task.businessKey) } }
            return []
        }
        InMemoryReceiver(Self.mail, applier: Mailer(), broker: broker)
        sender.send(try draft("o1", "nobody"), try draft("o2"))
        try await broker.run()
        #expect(sender.archive.map(\.answer) == [.rejected(reason: "no such address"), .finished])
        #expect(undone.withLock { $0 } == ["o1"])
    }

    @Test(
        "what nobody can read, and what fails for no known reason again and again, is a dead letter; its sender gives up"
    )
    func dead() async throws {
        let broker = InMemoryBroker()
        let sender = InMemorySender([Self.mail], broker: broker, maxAttempts: 2)
        let receiver = InMemoryReceiver(Self.mail, applier: Mailer(), broker: broker)
        sender.send(try draft("o1", ""), try draft("o2"))
        try await broker.run()
        #expect(receiver.deadLetters == ["unreadable: no address", "unreadable: no address"])
        #expect(broker.events.last == .parked(1))
        #expect(sender.archive.map(\.id) == [2] && sender.unanswered == [1])

        let other = InMemoryBroker()
        let patient = InMemorySender([Self.mail], broker: other, maxAttempts: 1)
        let failing = InMemoryReceiver(Self.mail, applier: Mailer(fails: true), broker: other, maxFailures: 3)
        patient.send(try draft("o1"))
        try await other.run()
        #expect(failing.deadLetters == ["failed: Strange"])
        #expect(other.events.count { $0 == .setAside(1) } == 2)
    }

    @Test("a broker that is away loses nothing; one without such a queue returns the message")
    func away() async throws {
        let broker = InMemoryBroker()
        let sender = InMemorySender([Self.mail], broker: broker)
        InMemoryReceiver(Self.mail, applier: Mailer(), broker: broker)
        broker.setUp(false)
        sender.send(try draft("o1"))
        try await broker.run()
        #expect(broker.events.isEmpty && sender.unanswered == [1])
        broker.setUp(true)
        try await broker.run()
        #expect(sender.unanswered.isEmpty)
        let nowhere = OutboundMessage(exchange: "other", routingKey: "x", messageID: "1", body: [])
        #expect(await broker.publish([nowhere]) == [.returned(code: 312, text: "NO_ROUTE")])
    }

    @Test("a handler that throws archives nothing, and the answer comes again")
    func handlerFails() async throws {
        let failures = Mutex(2)
        let broker = InMemoryBroker()
        let sender = InMemorySender([Self.mail], broker: broker) { _ in
            try failures.withLock { left in
                guard left == 0 else {
                    left -= 1
                    throw Strange()
                }
            }
            return []
        }
        InMemoryReceiver(Self.mail, applier: Mailer(), broker: broker)
        sender.send(try draft("o1"))
        try await broker.run()
        #expect(sender.archive.count == 1)
    }

    @Test("another service is a closure, which does each task once and answers with its type's own answer")
    func closure() async throws {
        struct Receipt: Codable, Sendable, Equatable {
            let number: Int
        }
        let charge = TaskType("charge", in: "shop", body: Mail.self, answer: Receipt.self)
        let broker = InMemoryBroker(copies: 2)
        let calls = Mutex(0)
        broker.receive(charge, dedupKey: \.order) { mail in
            guard mail.address != "nobody" else { throw TaskRefusal("no such address") }
            return Receipt(
                number: calls.withLock { calls in
                    calls += 1
                    return calls
                })
        }
        let sender = InMemorySender([charge.route], broker: broker)
        sender.send(try draft("o1", "a", charge.route), try draft("o2", "nobody", charge.route))
        sender.send(try draft("o1", "other", charge.route))
        try await broker.run()
        #expect(calls.withLock { $0 } == 1)
        #expect(
            sender.archive.map(\.answer) == [.answered(body: #"{"number":1}"#), .rejected(reason: "no such address")])
        #expect(sender.unanswered == [3], "another body with a known key is answered by nobody")
    }
}
