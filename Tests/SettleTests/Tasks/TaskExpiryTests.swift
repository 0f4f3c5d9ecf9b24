import Foundation
import SettlePostgres
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle

@Suite("Tasks that nobody answers", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct TaskExpiryTests {
    private struct Poison: Error {}

    private let route = TestRoute()
    private let publisher = ScriptedPublisher()

    private func draft(_ key: String, _ options: TaskOptions) throws -> TaskDraft {
        try TaskDraft(
            route.task, businessKey: key, body: LedgerApplier.Entry(key: key, amount: 1), traceParent: nil,
            options: options)
    }

    private func relay(_ database: TestDatabase) -> OutboxRelay {
        var settings = TaskSettings()
        settings.scanInterval = .milliseconds(50)
        settings.batchSize = 20
        return OutboxRelay(settings: settings, database: database.pool, publisher: publisher, logger: quiet)
    }

    /// What followed, in a table, so that a second time shows.
    private func following(
        _ relay: OutboxRelay, _ database: TestDatabase,
        _ check: @escaping @Sendable ([AnsweredTask]) throws -> Void = { _ in }
    ) -> AnswerReceiver {
        let receiver = AnswerReceiver(
            relay: relay, setAside: .unused(database, publisher, route), database: database.pool, logger: quiet
        ) { transaction, ended in
            try check(ended)
            transaction.add(
                "INSERT INTO ledger SELECT key, 1 FROM unnest($1::text[]) AS key", [.texts(ended.map(\.businessKey))])
        }
        _ = receiver.subscription(to: route.task)
        return receiver
    }

    @Test(
        "past its time a task is dropped, once, with what follows from a rejection; an answer that comes later does nothing"
    )
    func drop() async throws {
        try await TestDatabase.with { database in
            let relays = [relay(database), relay(database)]
            let ends = Mutex<Set<String>>([])  // ours
            let receivers = relays.map { relay in
                following(relay, database) { ended in
                    ends.withLock { ends in for task in ended { ends.insert("\(task.end) \(task.answer)") } }
                }
            }
            let drafts = try (0..<50).map { try draft("\($0)", TaskOptions(expiresAt: .now + 1)) }
            let never = try draft("never", TaskOptions(notBefore: .now + 1, expiresAt: .now + 1.001))
            try await serving(relays) {
                try await database.pool.transaction { _ = relays[0].outbox.add(drafts + [never], in: $0) }
                try await eventually(within: .seconds(10)) {
                    try await database.number("SELECT count(*) FROM task_his WHERE status = 'expired'") == 51
                }
            }
            #expect(try await database.number("SELECT count(*) FROM task") == 0)
            #expect(try await database.number("SELECT count(*) FROM ledger") == 51)
            let said = ends.withLock { $0 }
            #expect(said.allSatisfy { $0.hasPrefix("expired rejected") })
            #expect(said.contains { $0.contains("may have been done") }, "\(said)")
            try await receivers[1].handle(
                [route.answer(#"{"id":1,"taskType":"add","status":"finished"}"#)], of: route.task)
            #expect(try await database.number("SELECT count(*) FROM ledger") == 51)
            #expect(try await database.number("SELECT count(*) FROM task_his WHERE status = 'expired'") == 51)
        }
    }

    @Test("or it is parked: an operator's retry sends it again, without an end")
    func park() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database)
            let receiver = following(relay, database)
            let late = try draft("a", TaskOptions(notBefore: .now + 600, expiresAt: .now + 601, onExpiry: .park))
            try await serving([relay]) {
                try await database.pool.transaction { _ = relay.outbox.add(late, in: $0) }
                _ = try await database.pool.query("UPDATE task SET expires_at = now()")
                try await eventually { try await relay.store.backlog().parked == 1 }
                let record = try #require(try await relay.store.tasks(status: .parked, limit: 1).first)
                #expect(record.errormsg == "expired: it was never sent")
                #expect(try await relay.retry(record.id))
                try await eventually { publisher.messages.count == 1 }
                try await Task.sleep(for: .milliseconds(300))
                #expect(try await relay.store.backlog().parked == 0)
                try await receiver.handle(
                    [route.answer(#"{"id":\#(record.id),"taskType":"add","status":"finished"}"#)], of: route.task)
            }
            #expect(try await database.number("SELECT count(*) FROM task_his WHERE status = 'finished'") == 1)
        }
    }

    @Test("one whose follow-up fails is parked for a person; its neighbours go")
    func poison() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database)
            let receiver = following(relay, database) { ended in
                if ended.contains(where: { $0.businessKey == "7" }) { throw Poison() }
            }
            let drafts = try (0..<10).map {
                try draft("\($0)", TaskOptions(notBefore: .now + 600, expiresAt: .now + 601))
            }
            try await serving([relay]) {
                try await database.pool.transaction { _ = relay.outbox.add(drafts, in: $0) }
                _ = try await database.pool.query("UPDATE task SET expires_at = now()")
                try await eventually {
                    let parked = try await relay.store.backlog().parked
                    return try await database.number("SELECT count(*) FROM task_his") == 9 && parked == 1
                }
            }
            #expect(try await relay.store.tasks(status: .parked, limit: 5).map(\.businessKey) == ["7"])
            #expect(try await database.number("SELECT count(*) FROM ledger") == 9)
            withExtendedLifetime(receiver) {}
        }
    }

    @Test("a process that does not know what follows gives nothing up, by itself or when it is told to")
    func unknown() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database)
            let old = try draft("a", TaskOptions(notBefore: .now + 600, expiresAt: .now + 601))
            try await serving([relay]) {
                try await database.pool.transaction { _ = relay.outbox.add(old, in: $0) }
                _ = try await database.pool.query("UPDATE task SET expires_at = now()")
                let id = Int64(try await database.number("SELECT id FROM task"))
                await #expect(throws: NobodyFollows.self) { try await relay.discard(id, reason: "x") }
                await #expect(throws: NobodyFollows.self) { try await relay.discard(.pending, of: "add", reason: "x") }
                try await Task.sleep(for: .milliseconds(300))
                #expect(try await database.number("SELECT count(*) FROM task") == 1)
                // As soon as it does, it does.
                let receiver = following(relay, database)
                try await eventually { try await database.number("SELECT count(*) FROM task_his") == 1 }
                withExtendedLifetime(receiver) {}
            }
        }
    }

    @Test("many are discarded at once, by status and type, in batches, and no more than asked for")
    func discardMany() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database)
            let receiver = following(relay, database)
            try await database.insertTasks((0..<90).map(String.init), dueAfter: .seconds(600), route: route)
            _ = try await database.pool.query("UPDATE task SET status = 'parked' WHERE id <= 70")
            _ = try await database.pool.query("UPDATE task SET task_type = 'other' WHERE id <= 5")
            let some = try await relay.discard(.parked, of: "add", reason: "useless", limit: 30)
            #expect(some.discarded == 30 && some.hasMore)
            // Of other types nobody here knows what follows.
            let rest = try await relay.discard(.parked, reason: "useless")
            #expect(rest.discarded == 35 && !rest.hasMore)
            #expect(try await database.number("SELECT count(*) FROM task") == 25)
            #expect(try await database.number("SELECT count(*) FROM ledger") == 65)
            #expect(
                try await database.number(
                    "SELECT count(*) FROM task_his WHERE status = 'discarded' AND errormsg = 'useless'") == 65)
            withExtendedLifetime(receiver) {}
        }
    }
}
