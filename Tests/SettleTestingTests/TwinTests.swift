import Foundation
import Settle
import SettlePostgres
import SettleRabbitMQ
import SettleSchema
import SettleTesting
import Testing

/// The twins in memory and the real ones, given the same, do the same.
@Suite("Twins", .serialized, .enabled(if: TestBase.serverURL != nil), .timeLimit(.minutes(1)))
struct TwinTests {
    private typealias Credit = CreditApplier.Credit

    private static let route = TaskRoute(taskType: "credit", exchange: "ex", queuePrefix: "q_")
    private static let deadLetters = DeadLetterRoute(exchange: "ex_dead", queue: "q_dead")

    /// What a receiver answers and what it cannot read, of the same messages.
    private struct Said: Equatable {
        var answers: [String]
        var dead: [String]
    }

    private func messages() throws -> [OutboundMessage] {
        func message(_ id: Int, _ credit: Credit, type: String = "credit") throws -> String {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            let body = String(decoding: try encoder.encode(credit), as: UTF8.self)
            let text = String(decoding: try JSONEncoder().encode(body), as: UTF8.self)
            return #"{"id":\#(id),"taskType":"\#(type)","requestBody":\#(text)}"#
        }
        let texts = [
            try message(1, Credit(key: "a", account: "ann")), try message(1, Credit(key: "a", account: "ann")),
            try message(2, Credit(key: "b", account: "nobody")),
            try message(3, Credit(key: "a", account: "ann", amount: 6)),
            try message(4, Credit(key: "c", account: "ann"), type: "other"), #"{"id":5}"#, "no JSON",
            try message(7, Credit(key: "b", account: "nobody")), try message(8, Credit(key: "d", account: "ann")),
            try message(9, Credit(key: "d", account: "ann")),
        ]
        return texts.enumerated().map {
            OutboundMessage(
                exchange: "ex", routingKey: "credit", messageID: String($0.offset + 1), body: Array($0.element.utf8))
        }
    }

    private func run(
        copies: Int, _ start: (InMemoryBroker, PostgresDatabase) async throws -> Void,
        dead: (InMemoryBroker) -> [String]
    ) async throws -> Said {
        let broker = InMemoryBroker(copies: copies)
        let sets = [MigrationSet("credit", [CreditApplier.tables]), SettleSchema.setAside]
        var answers: [String] = []
        try await TestBase.with(sets) { database in
            try await start(broker, database)
            _ = await broker.publish(try messages())
            try await broker.run()
            answers = try broker.messages(in: "q_finishcredit").map {
                let answer = try JSONDecoder().decode(TaskMessage.self, from: Data($0.body))
                return "\(answer.id) \(answer.status ?? "") \(answer.errormsg ?? "")"
            }
            let balance = try await database.query("SELECT balance FROM account").first?.decode(Int.self, at: 0)
            #expect(balance == 10, "each credit once")
        }
        return Said(answers: answers, dead: dead(broker))
    }

    @Test("the receivers answer the same, and have the same dead letters", arguments: [1, 2])
    func receivers(copies: Int) async throws {
        let real = try await run(copies: copies) { broker, database in
            broker.declare(.tasks([Self.route], deadLetters: Self.deadLetters))
            let inbox = TaskReceiver(
                route: Self.route, applier: CreditApplier(database), publisher: broker,
                setAside: SetAside(
                    database: database,
                    deadLetters: DeadLetters(route: Self.deadLetters, publisher: broker, logger: TestBase.quiet),
                    logger: TestBase.quiet), logger: TestBase.quiet)
            broker.subscribe(inbox.subscription())
        } dead: {
            $0.messages(in: "q_dead").map { $0.headers["x-reason"] ?? "" }
        }
        var receiver: InMemoryReceiver<CreditApplier>?
        let twin = try await run(copies: copies) { broker, database in
            receiver = InMemoryReceiver(Self.route, applier: CreditApplier(database), broker: broker)
        } dead: { _ in
            receiver?.deadLetters ?? []
        }
        #expect(real.answers.sorted() == twin.answers.sorted())
        #expect(!real.answers.isEmpty && !real.dead.isEmpty)
        // A broker in memory delivers a dead letter as often as any other message.
        #expect(Set(real.dead) == Set(twin.dead))
    }

    @Test("the real sender archives what a receiver in memory answers, each task once")
    func sender() async throws {
        let sets = [
            MigrationSet("credit", [CreditApplier.tables]), SettleSchema.setAside,
            SettleSchema.tasks,
        ]
        try await TestBase.with(sets) { database in
            let broker = InMemoryBroker(copies: 2)
            let relay = OutboxRelay(database: database, publisher: broker, logger: TestBase.quiet)
            let listener = AnswerReceiver(
                relay: relay,
                setAside: SetAside(
                    database: database,
                    deadLetters: DeadLetters(route: Self.deadLetters, publisher: broker, logger: TestBase.quiet),
                    logger: TestBase.quiet), database: database, logger: TestBase.quiet
            ) { _, _ in }
            InMemoryReceiver(Self.route, applier: CreditApplier(database), broker: broker)
            broker.subscribe(listener.subscription(to: Self.route))
            try await TestBase.running([relay]) {
                try await database.transaction { transaction in
                    relay.outbox.add(
                        try ["k1", "k2", "k3"].map {
                            try TaskDraft(Self.route, businessKey: $0, body: Credit(key: $0, account: "ann"))
                        }, in: transaction)
                }
                while broker.messages(in: "q_credit").isEmpty { try await Task.sleep(for: .milliseconds(2)) }
                try await broker.run()
            }
            let archived = try await database.query("SELECT status FROM task_his").map {
                try $0.decode(String.self, at: 0)
            }
            #expect(archived == ["finished", "finished", "finished"])
            #expect(try await database.query("SELECT FROM task").isEmpty)
        }
    }
}
