import SettleCore
import Foundation
import SettleRabbitMQ
import SettleRedis
import SettleTestSupport
import Testing

@testable import SettlePostgres
@testable import Settle

@Suite("Set aside", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct SetAsideTests {
    private let route = TestRoute()
    private let publisher = ScriptedPublisher()

    /// A receiver's process: an inbox, and what it sets aside.
    private struct Process {
        let inbox: TaskReceiver<AccountApplier>
        let setAside: SetAside
    }

    private var settings: SetAsideSettings {
        var settings = SetAsideSettings()
        settings.maxFailures = 3
        settings.failureBackoff = Backoff(initial: .milliseconds(5), cap: .milliseconds(10))
        settings.heldBackoff = Backoff(initial: .milliseconds(5), cap: .milliseconds(50))
        settings.scanInterval = .milliseconds(200)
        return settings
    }

    /// With a receiver's connections, which do not wait long.
    private func with(
        _ settings: SetAsideSettings? = nil, names: Bool = true, _ body: (TestDatabase, Process) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let receiving = try TestDatabase.connect(database.url, connections: 2, lockTimeout: .milliseconds(50))
            try await serving([receiving]) {
                try await database.pool.script(AccountApplier.tables)
                try await body(database, try process(receiving, settings, names: names))
            }
        }
    }

    private func process(
        _ receiving: PostgresDatabase, _ settings: SetAsideSettings? = nil, names: Bool = true
    ) throws -> Process {
        let setAside = SetAside(
            settings: settings ?? self.settings, database: receiving,
            deadLetters: DeadLetters(route: route.deadLetters, publisher: publisher, logger: quiet),
            logger: quiet)
        let away = RedisClient(try RedisConfiguration(url: "redis://127.0.0.1:1"), logger: quiet)
        let inbox = TaskReceiver(
            route: route.task, applier: AccountApplier(database: receiving, names: names), publisher: publisher,
            dedup: RedisDedup(redis: away, logger: quiet), setAside: setAside, logger: quiet)
        _ = inbox.subscription()
        return Process(inbox: inbox, setAside: setAside)
    }

    private func delivery(_ id: Int64, _ account: String) -> Delivery {
        route.delivery(
            body:
                #"{"id":\#(id),"taskType":"add","requestBody":"{\"key\":\"k\#(id)\",\"account\":\"\#(account)\"}"}"#,
            id: id)
    }

    /// Holds an account's row as long as `body` runs; a prepared transaction needs no connection for that.
    private func holding(_ account: String, _ database: TestDatabase, _ body: () async throws -> Void) async throws {
        let gid = "hold \(UUID())"
        try await database.pool.transaction(ending: .prepare(gid: gid)) {
            $0.add("SELECT FROM account WHERE name = $1 FOR UPDATE", [.text(account)])
        }
        do { try await body() } catch { Issue.record(error) }
        _ = try await database.pool.query("COMMIT PREPARED '\(gid)'")
    }

    private var answered: [String] {
        publisher.messages.filter { $0.routingKey == route.task.answerRoutingKey }.map(\.messageID)
    }
    private var letters: [OutboundMessage] {
        publisher.messages.filter { $0.exchange == route.deadLetters.exchange }
    }

    @Test(
        "a held row: its messages wait, their neighbours are applied and answered; then they are, too",
        arguments: [true, false])
    func heldRow(names: Bool) async throws {
        try await with(names: names) { database, process in
            try await serving([process.setAside]) {
                try await holding("a", database) {
                    try await process.inbox.handle([
                        delivery(1, "b"), delivery(2, "a"), delivery(3, "c"), delivery(4, "a"),
                    ])
                    // At once, but on a machine that is so busy that a neighbour was left untried.
                    try await eventually { answered.sorted() == ["1", "3"] }
                    try await eventually {
                        try await process.setAside.counts() == SetAsideCounts(waiting: 2, dead: 0)
                    }
                    // It comes again, as after a crash before its acknowledgement, and makes no second row.
                    try await process.inbox.handle([delivery(2, "a"), delivery(5, "d"), delivery(6, "a")])
                    try await eventually { Set(answered) == ["1", "3", "5"] }
                    try await eventually { try await process.setAside.counts().waiting == 3 }
                    try await eventually {
                        try await process.setAside.records(isDead: false, limit: 9).allSatisfy { $0.tries > 1 }
                    }
                }
                try await eventually {
                    try await process.setAside.counts() == SetAsideCounts(waiting: 0, dead: 0)
                }
                #expect(Set(answered) == Set((1...6).map(String.init)))
                #expect(try await database.number("SELECT entries FROM account WHERE name = 'a'") == 3)
                #expect(letters.isEmpty)
            }
        }
    }

    @Test("beyond its bound the batch is held; what was done of it is answered")
    func bound() async throws {
        var settings = settings
        settings.maxWaiting = 2
        try await with(settings) { database, process in
            try await holding("a", database) {
                try await process.inbox.handle([delivery(1, "a"), delivery(2, "a")])
                let batch = [delivery(3, "a"), delivery(4, "b")]
                await #expect(throws: SetAsideFull.self) { try await process.inbox.handle(batch) }
                #expect(answered == ["4"])
                #expect(try await process.setAside.counts().waiting == 2)
            }
            try await serving([process.setAside]) {
                try await eventually { try await process.setAside.counts().waiting == 0 }
                try await process.inbox.handle([delivery(3, "a"), delivery(4, "b")])
                try await eventually { Set(answered) == ["1", "2", "3", "4"] }
            }
        }
    }

    @Test("what fails for an unknown reason is tried so often, alone, and is then a dead letter that can be sent again")
    func unknownFailure() async throws {
        try await with { database, process in
            try await database.pool.script(
                """
                CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'secret'; END $$;
                CREATE TRIGGER raise BEFORE INSERT ON ledger FOR EACH ROW WHEN (NEW.key IN ('k2', 'k3')) EXECUTE FUNCTION raise();
                """)
            try await serving([process.setAside]) {
                try await process.inbox.handle([
                    delivery(1, "a"), delivery(2, "a"), delivery(3, "b"), delivery(4, "b"),
                ])
                try await eventually { Set(answered) == ["1", "4"] }
                try await eventually {
                    try await process.setAside.counts() == SetAsideCounts(waiting: 0, dead: 2)
                }
                let records = try await process.setAside.records(limit: 10)
                #expect(records.map(\.messageId).sorted { $0 ?? "" < $1 ?? "" } == ["2", "3"])
                #expect(records.allSatisfy { $0.reason == "failed in the database: P0001" && $0.resentAt == nil })
                #expect(Set(letters.map(\.messageID)) == ["2", "3"])
                #expect(letters.allSatisfy { $0.headers["x-reason"] == "failed in the database: P0001" })
                #expect(letters.first?.headers["x-queue"] == route.task.queue)

                let one = try #require(records.last)
                #expect(try await process.setAside.records(before: records[0].id, limit: 10).map(\.id) == [one.id])
                #expect(try await process.setAside.retry(one.id))
                try await eventually("it fails again") {
                    try await process.setAside.records(limit: 10).contains { $0.id == one.id && $0.resentAt != nil }
                }
                _ = try await database.pool.query("DROP TRIGGER raise ON ledger")
                #expect(try await process.setAside.retryAll(queue: "another") == 0)
                #expect(try await process.setAside.retryAll(queue: route.task.queue) == 2)
                try await eventually { Set(answered) == ["1", "2", "3", "4"] }
                try await eventually {
                    try await process.setAside.counts() == SetAsideCounts(waiting: 0, dead: 0)
                }
                #expect(try await !process.setAside.retry(one.id))
            }
        }
    }

    @Test("what nobody can read is dead at once, is kept whole, and can be discarded")
    func poison() async throws {
        try await with { database, process in
            let long = String(repeating: "x", count: 3 << 20)
            let poison = [route.delivery(body: "not JSON"), route.delivery(body: long)]
            try await process.inbox.handle(poison + [delivery(1, "a")] + poison)
            #expect(answered == ["1"])
            #expect(letters.count == 4, "a copy for each that came")
            let records = try await process.setAside.records(limit: 10)
            #expect(records.map(\.bytes).sorted() == [8, 3 << 20])
            #expect(try await database.number("SELECT count(*) FROM settle.set_aside WHERE body = 'not JSON'") == 1)
            for record in records {
                let content = try #require(try await process.setAside.content(of: record.id))
                #expect(content.body == (record.bytes == 8 ? Array("not JSON".utf8) : nil))
                #expect(content.record == record && content.exchange == poison[0].exchange)
            }
            #expect(try await process.setAside.content(of: 0) == nil)
            #expect(try await process.setAside.retryAll() == 1, "the long one is in the dead-letter queue only")
            #expect(try await process.setAside.counts() == SetAsideCounts(waiting: 1, dead: 1))
            let dead = try #require(try await process.setAside.records(limit: 10).first)
            #expect(try await process.setAside.discard(dead.id))
            #expect(try await !process.setAside.discard(dead.id))
        }
    }

    @Test("a message whose time is up is a dead letter")
    func timeIsUp() async throws {
        var settings = settings
        settings.giveUpAfter = .milliseconds(100)
        try await with(settings) { database, process in
            try await serving([process.setAside]) {
                try await holding("a", database) {
                    try await process.inbox.handle([delivery(1, "a")])
                    try await eventually { try await process.setAside.counts().dead == 1 }
                    #expect(letters.first?.headers["x-reason"]?.contains("time is up") == true)
                }
                #expect(try await process.setAside.retryAll() == 1)
                try await eventually { answered == ["1"] }
            }
        }
    }

    @Test("what one process has set aside, another that starts later handles; two of them handle each once")
    func otherProcess() async throws {
        try await with { database, process in
            try await holding("a", database) {
                try await process.inbox.handle((1...200).map { delivery($0, "a") })
            }
            let others = try (0..<2).map { _ in try self.process(process.setAside.store.database) }
            try await serving(others.map(\.setAside)) {
                try await eventually { try await process.setAside.counts().waiting == 0 }
            }
            #expect(try await database.number("SELECT entries FROM account WHERE name = 'a'") == 200)
            #expect(Set(answered).count == 200)
        }
    }

    @Test("without a broker nothing that is set aside is tried, since it could not be answered")
    func brokerAway() async throws {
        try await with { database, process in
            try await holding("a", database) { try await process.inbox.handle([delivery(1, "a")]) }
            publisher.setUp(false)
            try await serving([process.setAside]) {
                try await Task.sleep(for: .milliseconds(300))
                #expect(try await database.number("SELECT count(*) FROM ledger") == 0)
                publisher.setUp(true)
                try await eventually { answered == ["1"] }
            }
        }
    }

    @Test("an order's held row stops no other answer", arguments: [true, false])
    func finishListener(hasProbe: Bool) async throws {
        try await with { database, process in
            let receiving = process.setAside.store.database
            try await database.insertTasks(["a", "b", "c"], route: route)
            let relay = OutboxRelay(database: database.pool, publisher: publisher, logger: quiet)
            let listener = AnswerReceiver(
                relay: relay, setAside: process.setAside, database: receiving,
                probe: hasProbe ? RowProbe(receiving, table: "account", key: "name") : nil, logger: quiet
            ) { transaction, answered in
                transaction.add(
                    "UPDATE account SET entries = entries + 1 WHERE name = ANY($1::text[])",
                    [.texts(answered.map(\.businessKey))])
            }
            try await serving([process.setAside]) {
                try await holding("a", database) {
                    try await listener.handle(
                        (1...3).map { route.answer(#"{"id":\#($0),"status":"finished"}"#) }, of: route.task)
                    try await eventually { try await database.number("SELECT count(*) FROM task_his") == 2 }
                    try await eventually { try await process.setAside.counts().waiting == 1 }
                }
                try await eventually { try await database.number("SELECT count(*) FROM task_his") == 3 }
            }
            #expect(try await database.number("SELECT sum(entries)::bigint FROM account") == 3)
        }
    }
}
