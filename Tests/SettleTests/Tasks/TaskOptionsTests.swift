import Foundation
import SettleCore
import SettlePostgres
import SettleTestSupport
import Testing

@testable import Settle

@Suite("Options of tasks", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct TaskOptionsTests {
    private struct GivenUp: Error {}

    private let route = TestRoute()
    private let publisher = ScriptedPublisher()

    private func draft(_ key: String, _ options: TaskOptions = .none) throws -> TaskDraft {
        try TaskDraft(
            route.task, businessKey: key, body: LedgerApplier.Entry(key: key, amount: 1), traceParent: nil,
            options: options)
    }

    private func relay(_ database: TestDatabase, _ change: (inout TaskSettings) -> Void = { _ in }) -> OutboxRelay {
        var settings = TaskSettings()
        settings.scanInterval = .milliseconds(50)
        change(&settings)
        return OutboxRelay(settings: settings, database: database.pool, publisher: publisher, logger: quiet)
    }

    private func add(
        _ drafts: [TaskDraft], _ relay: OutboxRelay, _ pool: PostgresDatabase
    ) async throws -> [TaskAddition] {
        try await pool.transaction { transaction in
            try relay.outbox.add(drafts, in: transaction).additions(in: transaction)
        }
    }

    @Test("what cannot be is refused before it is written, with its name")
    func refused() throws {
        let long = String(repeating: "x", count: 256)
        for (options, name) in [
            (TaskOptions(orderKey: ""), "orderKey"), (TaskOptions(orderKey: long), "orderKey"),
            // Fewer characters than bytes.
            (TaskOptions(uniqueKey: String(repeating: "é", count: 128)), "uniqueKey"),
            (TaskOptions(uniqueKey: "a\0"), "uniqueKey"),
            (TaskOptions(notBefore: Date(timeIntervalSince1970: .nan)), "notBefore"),
            (TaskOptions(expiresAt: .distantFuture.addingTimeInterval(1e15)), "expiresAt"),
            (TaskOptions(notBefore: .now, expiresAt: .now - 1), "expiresAt"),
        ] {
            let error = try #require(throws: InvalidTaskOptions.self) { _ = try draft("a", options) }
            #expect(error.description.hasPrefix(name), "\(error)")
        }
        _ = try draft("a", TaskOptions(orderKey: String(long.dropLast()), uniqueKey: String(long.dropLast())))
    }

    @Test("a delayed task is visible with its time, is not sent before it, and is by whoever runs then")
    func delayed() async throws {
        try await TestDatabase.with { database in
            let time = Date.now + 2
            let writer = relay(database)
            try await serving([writer]) {
                let drafts = [
                    try draft("later", TaskOptions(notBefore: time)),
                    try draft("past", TaskOptions(notBefore: .now - 9)),
                ]
                let added = try await add(drafts, writer, database.pool)
                #expect(added.count == 2)
                try await eventually { publisher.messages.count == 1 }
                let record = try #require(try await writer.store.tasks(about: "later").first)
                #expect(record.status == "pending" && record.attempts == 0)
                #expect(abs(Double(record.dueTime ?? 0) / 1000 - time.timeIntervalSince1970) < 0.01)
                let backlog = try await writer.store.backlog()
                #expect(backlog.delayed == 1 && backlog.pending == 2)
                #expect(backlog.oldestAge < 2, "one whose time has not come is not old")
            }
            // Another process, which knows nothing of it.
            try await serving([relay(database)]) {
                try await eventually(within: .seconds(8)) { publisher.messages.count == 2 }
                #expect(Date.now >= time)
            }
            #expect(Set(publisher.ids).count == 2)
            #expect(try await database.number("SELECT attempts FROM task WHERE business_key = 'later'") == 1)
        }
    }

    @Test("while one with a unique key lives, another of its type adds nothing, whoever adds it; then the key is free")
    func unique() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database) { $0.scanInterval = .seconds(60) }
            let receiver = AnswerReceiver(
                relay: relay, setAside: SetAside.unused(database, publisher, route), database: database.pool,
                logger: quiet
            ) { _, _ in }
            let only = TaskOptions(uniqueKey: "only")
            let drafts = try (0..<24).map { try draft("k\($0)", only) }
            let other = try TestDatabase.connect(database.url, connections: 8)
            try await serving([other]) {
                let results = try await withThrowingTaskGroup(of: [TaskAddition].self) { group in
                    for one in drafts { group.addTask { try await add([one], relay, other) } }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                let id = Int64(try await database.number("SELECT id FROM task"))
                #expect(results.count { $0 == .added(id) } == 1)
                #expect(results.count { $0 == .exists(id) } == 23)
            }
            // Together with others, in one statement, and twice in it; the bytes count, not the characters.
            let batch = [
                try draft("plain"), try draft("same", only), try draft("e", TaskOptions(uniqueKey: "\u{E9}")),
                try draft("e again", TaskOptions(uniqueKey: "\u{E9}")),
                try draft("e2", TaskOptions(uniqueKey: "e\u{301}")),
                try draft("last"),
            ]
            let added = try await add(batch, relay, database.pool)
            let ids = try await database.pool.query("SELECT id FROM task ORDER BY id").map {
                try $0.decode(Int64.self, at: 0)
            }
            #expect(ids.count == 5)
            #expect(
                added == [
                    .added(ids[1]), .exists(ids[0]), .added(ids[2]), .exists(ids[2]), .added(ids[3]), .added(ids[4]),
                ])
            try await receiver.handle(
                [route.answer(#"{"id":\#(ids[0]),"taskType":"add","status":"finished"}"#)], of: route.task)
            let again = try await add([try draft("again", only)], relay, database.pool)
            #expect(again.first != .exists(ids[0]) && again.count == 1)
        }
    }

    @Test("one that is rolled back was no other's in the way")
    func uniqueRolledBack() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database)
            let only = try draft("a", TaskOptions(uniqueKey: "only"))
            let (added, adding) = AsyncStream.makeStream(of: Void.self)
            let first = Task {
                try await database.pool.transaction { transaction in
                    _ = try relay.outbox.add(only, in: transaction).additions(in: transaction)
                    adding.finish()
                    // Until the other one waits for this one.
                    for _ in 0..<1_000 {
                        let rows = try transaction.query(
                            "SELECT count(*), pg_sleep(0.005) FROM pg_locks WHERE NOT granted")
                        if try rows[0].decode(Int.self, at: 0) > 0 { break }
                    }
                    throw GivenUp()
                }
            }
            for await _ in added {}
            let second = try await add([only], relay, database.pool)
            await #expect(throws: GivenUp.self) { try await first.value }
            guard case .added = second.first else { throw GivenUp() }
            #expect(try await database.number("SELECT count(*) FROM task") == 1)
        }
    }

    @Test("another client's statement has them, too: a time, a line, an end, to be the only one")
    func statement() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database) { $0.scanInterval = .seconds(3600) }
            let options = TaskOptions(
                notBefore: .now + 600, orderKey: "line", expiresAt: .now + 900, onExpiry: .park, uniqueKey: "one")
            let drafts = [try draft("a", options), try draft("plain"), try draft("b", options)]
            let statement = OutboxStatement(drafts)
            #expect(statement.binds.count == 11 && OutboxStatement([]).binds.count == 6)
            let ids = try await database.pool.query(statement.sql, statement.binds.map { .texts($0) })
            #expect(ids.count == 2, "the second with the key is not added")
            let row = OutboxRowStatement(try draft("behind", TaskOptions(orderKey: "line")))
            #expect(try await database.pool.query(row.sql, row.binds.map { .text($0) }).count == 1)
            let records = try await relay.store.tasks(status: nil, limit: 9)
            #expect(records.map(\.businessKey).sorted() == ["a", "behind", "plain"])
            let a = try #require(records.first { $0.businessKey == "a" })
            #expect(a.orderKey == "line" && a.uniqueKey == "one" && a.expiresAt != nil && a.attempts == 0)
            #expect(records.first { $0.businessKey == "behind" }?.status == "waiting")
            #expect(
                try await database.number(
                    "SELECT count(*) FROM task WHERE on_expiry = 'park' AND due_time = not_before") == 1)
        }
    }
}

extension SetAside {
    /// For a test in which nothing is set aside.
    static func unused(_ database: TestDatabase, _ publisher: any MessagePublisher, _ route: TestRoute) -> SetAside {
        SetAside(
            database: database.pool,
            deadLetters: DeadLetters(route: route.deadLetters, publisher: publisher, logger: quiet),
            logger: quiet)
    }
}
