import SettleCore
import Foundation
import SettlePostgres
import SettleRabbitMQ
import SettleTestSupport
import Testing

@testable import Settle

@Suite("Task relay", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct TaskSchedulerTests {
    private struct GivenUp: Error {}

    private let route = TestRoute()
    private let publisher = ScriptedPublisher()

    /// Quick, and without chance.
    private var settings: TaskSettings {
        var settings = TaskSettings()
        settings.lease = .seconds(2)
        settings.scanInterval = .milliseconds(500)
        settings.refusedBackoff = Backoff(initial: .milliseconds(20), cap: .milliseconds(40))
        return settings
    }

    private func relay(_ database: TestDatabase, _ settings: TaskSettings? = nil) -> OutboxRelay {
        OutboxRelay(
            settings: settings ?? self.settings, database: database.pool, publisher: publisher, logger: quiet)
    }

    private func draft(_ key: String) throws -> TaskDraft {
        try TaskDraft(route.task, businessKey: key, body: LedgerApplier.Entry(key: key, amount: 1), traceParent: nil)
    }

    private func write(_ keys: [String], _ relay: OutboxRelay, _ database: TestDatabase) async throws {
        let drafts = try keys.map(draft)
        try await database.pool.transaction { relay.outbox.add(drafts, in: $0) }
    }

    private func isPostponed(_ database: TestDatabase, count: Int) async throws -> Bool {
        try await database.number("SELECT count(*) FROM task WHERE due_time > now() + interval '5 minutes'") == count
    }

    @Test("what is committed is published at once, long before any scan; what is rolled back never")
    func handOver() async throws {
        try await TestDatabase.with { database in
            var settings = TaskSettings()
            settings.scanInterval = .seconds(60)
            settings.lease = .seconds(300)
            let relay = relay(database, settings)
            try await serving([relay]) {
                let rolledBack = try draft("rolled back")
                await #expect(throws: GivenUp.self) {
                    try await database.pool.transaction { transaction in
                        relay.outbox.add(rolledBack, in: transaction)
                        throw GivenUp()
                    }
                }
                try await write(["a", "b"], relay, database)
                try await eventually(within: .seconds(3)) { publisher.messages.count == 2 }
            }
            let rows = try await database.pool.query(
                "SELECT id, business_key, attempts, due_time - create_time = interval '300 seconds' FROM task ORDER BY id"
            )
            #expect(try rows.map { try $0.decode(String.self, at: 1) } == ["a", "b"])
            #expect(try rows.allSatisfy { try $0.decode(Int.self, at: 2) == 1 })
            #expect(try rows.allSatisfy { try $0.decode(Bool.self, at: 3) })

            let message = try #require(publisher.messages.first)
            #expect(message.exchange == route.exchange)
            #expect(message.routingKey == route.routingKey)
            let task = try JSONDecoder().decode(TaskMessage.self, from: Data(message.body))
            #expect(message.messageID == String(task.id))
            #expect(task.id == (try rows.first?.decode(Int64.self, at: 0)))
            #expect(task.status == "pending")
            let body = try JSONDecoder().decode(LedgerApplier.Entry.self, from: Data(task.requestBody.utf8))
            #expect(body == LedgerApplier.Entry(key: "a", amount: 1))
        }
    }

    @Test("what the broker confirmed is put off when its lease ends, and not published again")
    func confirmed() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database)
            try await serving([relay]) {
                try await write((0..<50).map(String.init), relay, database)
                try await eventually { try await isPostponed(database, count: 50) }
                try await Task.sleep(for: settings.lease)
            }
            #expect(publisher.messages.count == 50)
            #expect(try await database.number("SELECT max(attempts) FROM task") == 1)
        }
    }

    @Test("what the broker never confirmed is published again when its lease ends")
    func lost() async throws {
        try await TestDatabase.with { database in
            publisher.answer { _ in .lost(reason: "connection lost") }
            let relay = relay(database)
            try await serving([relay]) {
                try await write(["a"], relay, database)
                try await eventually { publisher.messages.count >= 3 }
                publisher.answer { _ in .confirmed }
                try await eventually { try await isPostponed(database, count: 1) }
            }
            #expect(Set(publisher.ids).count == 1)
            #expect(try await database.number("SELECT attempts FROM task") == 1, "only what was confirmed counts")
        }
    }

    @Test("a broker that never confirms parks nothing")
    func neverConfirmed() async throws {
        try await TestDatabase.with { database in
            publisher.answer { _ in .lost(reason: "no confirm") }
            var settings = settings
            settings.maxAttempts = 2
            settings.lease = .milliseconds(300)
            settings.scanInterval = .milliseconds(100)
            let relay = relay(database, settings)
            try await serving([relay]) {
                try await write(["a"], relay, database)
                try await eventually { publisher.messages.count >= 5 }
                #expect(try await relay.store.backlog().parked == 0)
                publisher.answer { _ in .confirmed }
                try await eventually { try await isPostponed(database, count: 1) }
            }
        }
    }

    @Test("what is committed while the broker takes nothing is no attempt, and nothing is claimed meanwhile")
    func blocked() async throws {
        try await TestDatabase.with { database in
            publisher.setUp(false)
            var settings = settings
            settings.maxAttempts = 1
            // A confirmed task is postponed if a look comes within two of these before its lease ends.
            settings.scanInterval = .milliseconds(200)
            let relay = relay(database, settings)
            try await serving([relay]) {
                try await write((0..<20).map(String.init), relay, database)
                let due = "SELECT count(*) FROM task WHERE attempts = 0 AND due_time <= now()"
                try await eventually { try await database.number(due) == 20 }
                let written = "SELECT sum(xmin::text::bigint)::bigint FROM task"
                let before = try await database.number(written)
                try await Task.sleep(for: settings.scanInterval * 3)
                #expect(try await database.number(written) == before, "no scan writes the backlog")
                publisher.setUp(true)
                try await eventually { try await isPostponed(database, count: 20) }
                #expect(try await relay.store.backlog().parked == 0)
            }
            #expect(publisher.messages.count == 20)
        }
    }

    @Test("a broker that seems to be there and takes nothing is not offered the backlog at every scan")
    func vain() async throws {
        try await TestDatabase.with { database in
            publisher.answer { _ in .notSent(reason: "too many messages wait") }
            try await database.insertTasks(["a"], route: route)
            var settings = settings
            settings.lease = .milliseconds(1)
            settings.scanInterval = .milliseconds(10)
            let relay = relay(database, settings)
            try await serving([relay]) {
                try await eventually { publisher.messages.count >= 2 }
                try await Task.sleep(for: .milliseconds(500))
                // 10, 20, 40, 80, 160, 320 ms apart, or half of it by chance: twelve are 20 s at least; every 10 ms would be 50.
                #expect(publisher.messages.count < 12)
            }
        }
    }

    @Test("parked tasks are retried all at once, or those of a type, in batches")
    func retryParked() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks((0..<120).map(String.init), dueAfter: .seconds(60), route: route)
            _ = try await database.pool.query("UPDATE task SET status = 'parked', attempts = 25")
            _ = try await database.pool.query("UPDATE task SET task_type = 'other' WHERE id % 10 = 0")
            var settings = settings
            settings.batchSize = 25
            let relay = relay(database, settings)
            try await serving([relay]) {
                let none = try await relay.retryParked(of: "unheard of")
                #expect(none == 0)
                #expect(try await relay.retryParked(of: "other") == 12)
                try await eventually { publisher.messages.count == 12 }
                #expect(try await relay.retryParked() == 108)
                #expect(try await relay.retryParked() == 0)
                try await eventually { publisher.messages.count == 120 }
            }
            #expect(Set(publisher.ids).count == 120)
        }
    }

    @Test(
        "what the broker will not take is noted, tried again with back-off, parked at its maximum and sent on request",
        arguments: [
            (PublishOutcome.returned(code: 312, text: "NO_ROUTE"), "returned: 312 NO_ROUTE"),
            (.nacked, "refused by the broker"),
        ])
    func refused(outcome: PublishOutcome, errormsg: String) async throws {
        try await TestDatabase.with { database in
            publisher.answer { _ in outcome }
            var settings = settings
            settings.maxAttempts = 4
            let relay = relay(database, settings)
            try await serving([relay]) {
                try await write(["a"], relay, database)
                try await eventually { try await relay.store.backlog().parked == 1 }
                #expect(publisher.messages.count == 4)
                let parked = try #require(try await relay.store.tasks(status: .parked, limit: 1).first)
                #expect(parked.attempts == 4)
                #expect(parked.errormsg == errormsg)

                try await Task.sleep(for: settings.lease)
                #expect(publisher.messages.count == 4, "a parked task is left alone")

                publisher.answer { _ in .confirmed }
                #expect(try await !relay.retry(parked.id + 1))
                #expect(try await relay.retry(parked.id))
                try await eventually { try await isPostponed(database, count: 1) }
                #expect(publisher.messages.count == 5)
            }
        }
    }

    @Test("one task that nobody takes does not hold up the others")
    func refusedAmongOthers() async throws {
        try await TestDatabase.with { database in
            publisher.answer { $0.messageID == "3" ? .returned(code: 312, text: "NO_ROUTE") : .confirmed }
            let relay = relay(database)
            try await serving([relay]) {
                try await write((0..<10).map(String.init), relay, database)
                try await eventually { try await isPostponed(database, count: 9) }
            }
            #expect(
                try await database.number("SELECT id FROM task WHERE errormsg IS NOT NULL") == 3)
        }
    }

    @Test("without a broker no attempts are used up")
    func brokerAway() async throws {
        try await TestDatabase.with { database in
            publisher.setUp(false)
            try await database.insertTasks(["a", "b"], route: route)
            let relay = relay(database)
            try await serving([relay]) {
                try await Task.sleep(for: settings.scanInterval * 3)
                #expect(try await database.number("SELECT max(attempts) FROM task") == 1)
                publisher.setUp(true)
                try await eventually { try await isPostponed(database, count: 2) }
            }
            #expect(publisher.messages.count == 2)
        }
    }

    @Test("what there is no room for in memory is published from the table")
    func handOverFull() async throws {
        try await TestDatabase.with { database in
            var settings = settings
            settings.handoverCapacity = 3
            let relay = relay(database, settings)
            try await serving([relay]) {
                try await write((0..<20).map(String.init), relay, database)
                try await eventually { try await isPostponed(database, count: 20) }
            }
            #expect(Set(publisher.ids).count == 20)
            #expect(publisher.messages.count == 20)
        }
    }

    @Test("what was due before the start is published after it, however much it is")
    func backlog() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks((0..<2_345).map(String.init), dueAfter: .seconds(-60), route: route)
            let relay = relay(database)
            try await serving([relay]) {
                try await eventually { try await isPostponed(database, count: 2_345) }
            }
            #expect(publisher.messages.count == 2_345)
        }
    }

    @Test("several schedulers on one database publish each task once")
    func several() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks((0..<2_000).map(String.init), route: route)
            var settings = settings
            settings.batchSize = 50
            try await serving((0..<3).map { _ in relay(database, settings) }) {
                try await eventually { publisher.messages.count >= 2_000 }
                try await Task.sleep(for: settings.scanInterval * 4)
            }
            #expect(publisher.messages.count == 2_000)
            #expect(Set(publisher.ids).count == 2_000)
        }
    }

    @Test("a graceful stop publishes first what was committed")
    func stop() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database)
            try await serving([relay]) {
                try await write((0..<2_000).map(String.init), relay, database)
            }
            #expect(publisher.messages.count == 2_000)
        }
    }
}
