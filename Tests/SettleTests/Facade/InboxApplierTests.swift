import SettleCore
import SettlePostgres
import SettleSchema
import SettleTestSupport
import Testing

@testable import Settle

/// The library's own memory of what was done, on a real database.
@Suite("The library's inbox", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct InboxApplierTests {
    struct Mail: Codable, Sendable {
        let id: String
        var text = "hello"
    }

    private struct Broken: Error {}

    private static let schema = Migration(
        name: "mail",
        sql: "CREATE TABLE mail (n bigserial PRIMARY KEY, id text NOT NULL, text text NOT NULL CHECK (text <> 'bad'))")

    private static func with(
        _ handle: @escaping InboxApplier<Mail>.Handle, _ body: (TestDatabase, InboxApplier<Mail>) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            try await PostgresMigrator.apply(SettleSchema.inbox, on: database.pool)
            try await PostgresMigrator.apply([schema], set: "mail", on: database.pool)
            try await body(database, InboxApplier("mails", database: database.pool, key: \.id, handle: handle))
        }
    }

    /// Writes the mail first, and then refuses what is to be refused.
    private static let write: InboxApplier<Mail>.Handle = { mail, transaction in
        transaction.add("INSERT INTO mail (id, text) VALUES ($1, $2)", [.text(mail.id), .text(mail.text)])
        switch mail.text {
        case "refuse": throw TaskRefusal("no")
        case "look and refuse":
            _ = try transaction.query("SELECT count(*) FROM mail")
            throw TaskRefusal("not now")
        case "answer": return "42"
        case "break": throw Broken()
        default: return nil
        }
    }

    private static func tasks(_ mails: Mail...) -> [ReceivedTask<Mail>] {
        mails.enumerated().map { index, mail in
            ReceivedTask(
                message: TaskMessage(
                    id: Int64(index), createTime: 0, updateTime: 0, taskType: "mail", mqExchange: "", mqRoutingkey: "",
                    requestBody: "{}"), body: mail)
        }
    }

    private static let all = tasks(
        Mail(id: "a"), Mail(id: "b", text: "refuse"), Mail(id: "c", text: "answer"),
        Mail(id: "d", text: "look and refuse"), Mail(id: "e"))

    @Test("each is done once; a refusal undoes its own work alone; copies get the same answer")
    func once() async throws {
        try await Self.with(Self.write) { database, applier in
            try #expect(
                await applier.apply(Self.all) == [
                    .applied, .rejected(reason: "no"), .answered(body: "42"), .rejected(reason: "not now"), .applied,
                ])
            try #expect(await database.number("SELECT count(*) FROM mail") == 3)
            let again: [TaskOutcome] = [
                .duplicate(.finished), .duplicate(.rejected(reason: "no")), .duplicate(.answered(body: "42")),
                .duplicate(.rejected(reason: "not now")), .duplicate(.finished),
            ]
            try #expect(await applier.apply(Self.all) == again)
            try #expect(await applier.decided(Self.all) == again)
            try #expect(await applier.decided(Self.tasks(Mail(id: "new"))) == [nil])
            try #expect(await database.number("SELECT count(*) FROM mail") == 3)
        }
    }

    @Test("a key that comes with another body is nobody's copy")
    func conflict() async throws {
        try await Self.with(Self.write) { database, applier in
            _ = try await applier.apply(Self.tasks(Mail(id: "a")))
            let outcomes = try await applier.apply(Self.tasks(Mail(id: "a", text: "other"), Mail(id: "b")))
            #expect(outcomes == [.conflict(reason: "a task with this key was decided for other content"), .applied])
            try #expect(await database.number("SELECT count(*) FROM mail") == 2)
        }
    }

    @Test("an error leaves nothing behind, and the same tasks can come again", arguments: ["break", "bad"])
    func failure(text: String) async throws {
        try await Self.with(Self.write) { database, applier in
            await #expect(throws: (any Error).self) {
                try await applier.apply(Self.tasks(Mail(id: "a"), Mail(id: "b", text: text)))
            }
            try #expect(await database.number("SELECT count(*) FROM mail") == 0)
            try #expect(await database.number("SELECT count(*) FROM settle.inbox") == 0)
            try #expect(await applier.apply(Self.tasks(Mail(id: "a"))) == [.applied])
        }
    }

    @Test("many at once, by two receivers: each is done once")
    func race() async throws {
        try await Self.with(Self.write) { database, applier in
            let tasks = (0..<150).map { Self.tasks(Mail(id: "\($0)"))[0] }
            async let one = applier.apply(tasks)
            async let other = applier.apply(tasks)
            let outcomes = try await [one, other]
            for (one, other) in zip(outcomes[0], outcomes[1]) {
                #expect([one, other].contains(.applied) && [one, other].contains(.duplicate(.finished)))
            }
            try #expect(await database.number("SELECT count(*) FROM mail") == 150)
        }
    }

    @Test("what a refused task would have sent is not sent")
    func sending() async throws {
        let type = TaskType("next", in: "test", body: Mail.self)
        let registry = Registry()
        registry.add { $0.sent.append(type.route) }
        let pool = try TestDatabase.connect(try #require(Testbed.postgresURL), connections: 1)
        let outbox = Outbox(store: TaskStore(database: pool, schema: .public, settings: TaskSettings()), logger: quiet)
        let sender = Settle.Sender(outbox: outbox, registry: registry)
        try await Self.with({ mail, transaction in
            try Settle.Transaction(transaction, sender).send(type, businessKey: mail.id, mail)
            if mail.text == "refuse" { throw TaskRefusal("no") }
            return nil
        }) { database, applier in
            _ = try await applier.apply(Self.tasks(Mail(id: "a"), Mail(id: "b", text: "refuse")))
            outbox.committed.close()
            let sent = await outbox.committed.take(atMost: 10).map(\.businessKey)
            #expect(sent == ["a"])
            try #expect(await database.number("SELECT count(*) FROM task") == 1)
        }
    }

    @Test("a key that no index could hold is unreadable", arguments: ["", String(repeating: "k", count: 513), "a\0"])
    func keys(key: String) async throws {
        let pool = try TestDatabase.connect(try #require(Testbed.postgresURL), connections: 1)
        let applier = InboxApplier<Mail>("mails", database: pool, key: \.id) { _, _ in nil }
        #expect(throws: UnreadableMessage.self) { try applier.check(Mail(id: key)) }
    }
}
