import SettleCore
import SettlePostgres
import SettleRabbitMQ
import SettleTestSupport
import Testing

@testable import Settle

@Suite("Types of tasks that are paused", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct TaskPauseTests {
    private let route = TestRoute()
    private let other = TaskRoute(taskType: "other", exchange: "ex_other", queuePrefix: "cg_other_")
    private let publisher = ScriptedPublisher()

    private func relay(_ database: TestDatabase) -> OutboxRelay {
        var settings = TaskSettings()
        settings.scanInterval = .milliseconds(100)
        settings.lease = .milliseconds(400)
        settings.republishAfter = .seconds(600)
        settings.batchSize = 25
        return OutboxRelay(settings: settings, database: database.pool, publisher: publisher, logger: quiet)
    }

    private func drafts(_ keys: some Sequence<Int>, _ route: TaskRoute? = nil) throws -> [TaskDraft] {
        try keys.map {
            try TaskDraft(
                route ?? self.route.task, businessKey: "\($0)", body: LedgerApplier.Entry(key: "\($0)", amount: 1),
                traceParent: nil)
        }
    }

    @Test(
        "no replica sends a paused type, after a restart neither; others go on, and so does what was sent; then all is sent"
    )
    func pause() async throws {
        try await TestDatabase.with { database in
            let relays = [relay(database), relay(database)]
            let receiver = AnswerReceiver(
                relay: relays[0], setAside: .unused(database, publisher, route), database: database.pool, logger: quiet
            ) { _, _ in }
            try await serving(relays) {
                let sent = try drafts([0])
                try await database.pool.transaction { _ = relays[0].outbox.add(sent, in: $0) }
                try await eventually { publisher.messages.count == 1 }
                #expect(try await relays[0].pause("add", reason: "a test"))
                #expect(try await !relays[0].pause("unheard of"))
                #expect(try await relays[1].store.pauses().map(\.reason) == ["a test"])
                try await eventually("both know it") { relays.allSatisfy { $0.isPaused("add") } }
                publisher.forget()
                let (held, free) = (try drafts(1...60), try drafts(61...64, other))
                for relay in relays {
                    try await database.pool.transaction { _ = relay.outbox.add(held, in: $0) }
                    try await database.pool.transaction { _ = relay.outbox.add(free, in: $0) }
                }
                try await eventually { try await relays[0].store.backlog().paused == 120 }
                #expect(Set(publisher.messages.map(\.exchange)) == [other.exchange])
                #expect(try await relays[0].store.backlog().pausedTypes == 1)
                try await receiver.handle(
                    [route.answer(#"{"id":1,"taskType":"add","status":"finished"}"#)], of: route.task)
                #expect(try await database.number("SELECT count(*) FROM task_his") == 1)
            }
            // What the database knows, a new process does.
            let restarted = [relay(database), relay(database)]
            try await serving(restarted) {
                try await Task.sleep(for: .milliseconds(300))
                #expect(Set(publisher.messages.map(\.exchange)) == [other.exchange])
                #expect(try await restarted[1].resume("add"))
                #expect(try await !restarted[0].resume("add"))
                try await eventually {
                    Set(publisher.messages.filter { $0.exchange == route.exchange }.map(\.messageID)).count == 120
                }
                try await eventually { try await database.number("SELECT count(*) FROM task_pause") == 0 }
                let backlog = try await restarted[0].store.backlog()
                #expect(backlog.paused == 0 && backlog.pausedTypes == 0)
            }
            #expect(try await database.number("SELECT max(attempts) FROM task") <= 3, "a pause uses up no attempts")
        }
    }

    @Test("one that is paused again while it is being resumed stays paused")
    func again() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database)
            try await database.insertTasks((0..<30).map(String.init), route: route)
            #expect(try await relay.pause("add"), "nobody here follows it, but there are such tasks")
            let claimed = try await relay.store.claim(limit: 100)
            #expect(claimed.tasks.isEmpty && claimed.paused == 30 && claimed.pausedTypes.map(\.text) == ["add"])
            #expect(try await relay.resume("add"))
            #expect(try await relay.store.claim(limit: 100).isResuming)
            #expect(try await !relay.store.unpause(), "a batch, and there are more")
            #expect(try await relay.pause("add"))
            #expect(try await relay.store.claim(limit: 100).paused == 25)
            #expect(try await database.number("SELECT count(*) FROM task WHERE status = 'paused'") == 30)
            #expect(try await relay.resume("add"))
            while try await !relay.store.unpause() {}
            #expect(try await relay.store.claim(limit: 100).tasks.count == 30)
        }
    }
}
