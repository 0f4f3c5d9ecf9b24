import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

@testable import Settle

@Suite("Task store", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct TaskStoreTests {
    private let route = TestRoute()

    private func keys(_ count: Int) -> [String] { (0..<count).map { "key-\($0)" } }

    @Test("two schedulers that claim side by side never get the same task, and between them all")
    func claim() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks(keys(3_000), route: route)
            let other = try TestDatabase.connect(database.url, connections: 4)
            try await serving([other]) {
                let claimed = try await withThrowingTaskGroup(of: [OutgoingTask].self) { group in
                    for pool in [database.pool, other, database.pool, other] {
                        var settings = TaskSettings()
                        // However busy the machine is: a lease that ends would be claimed again.
                        settings.lease = .seconds(600)
                        let store = TaskStore(database: pool, settings: settings)
                        group.addTask {
                            var mine: [OutgoingTask] = []
                            // Less than the limit may only mean that the others held the rest for a moment.
                            var emptyHanded = 0
                            while emptyHanded < 20 {
                                let claimed = try await store.claim(limit: 70)
                                let (tasks, parked) = (claimed.tasks, claimed.parked)
                                #expect(parked.isEmpty)
                                mine += tasks
                                emptyHanded = tasks.isEmpty ? emptyHanded + 1 : 0
                            }
                            return mine
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                #expect(claimed.count == 3_000)
                #expect(Set(claimed.map(\.id)).count == 3_000)
                #expect(claimed.allSatisfy { $0.attempts == 2 })
            }
        }
    }

    @Test("what is not due is not claimed; the oldest due comes first")
    func due() async throws {
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: TaskSettings())
            try await database.insertTasks(["later"], dueAfter: .seconds(60), route: route)
            try await database.insertTasks(["second"], dueAfter: .seconds(-5), route: route)
            try await database.insertTasks(["first"], dueAfter: .seconds(-9), route: route)
            #expect(try await store.claim(limit: 1).tasks.map(\.businessKey) == ["first"])
            #expect(try await store.claim(limit: 10).tasks.map(\.businessKey) == ["second"])
            #expect(try await store.claim(limit: 10).tasks.isEmpty)
        }
    }

    @Test("a claim is a lease, and comes due again when it ends")
    func lease() async throws {
        try await TestDatabase.with { database in
            var settings = TaskSettings()
            settings.lease = .seconds(3)
            let store = TaskStore(database: database.pool, settings: settings)
            try await database.insertTasks(["a"], route: route)
            #expect(try await store.claim(limit: 10).tasks.map(\.attempts) == [2])
            #expect(try await store.claim(limit: 10).tasks.isEmpty)
            var again: [OutgoingTask] = []
            try await eventually {
                again = try await store.claim(limit: 10).tasks
                return !again.isEmpty
            }
            #expect(again.map(\.attempts) == [3])
        }
    }

    @Test("with its attempts used up a task is parked, and stays so until it is made due")
    func park() async throws {
        try await TestDatabase.with { database in
            var settings = TaskSettings()
            settings.maxAttempts = 2
            let store = TaskStore(database: database.pool, settings: settings)
            try await database.insertTasks(["a"], route: route)
            let lease = try #require(try await store.claim(limit: 1).tasks.first).lease
            let id = lease.id
            try await store.refused([Refusal(lease: lease, attempts: 2, reason: "returned: 312 NO_ROUTE")])
            _ = try await database.pool.query("UPDATE task SET due_time = now()")
            let claimed = try await store.claim(limit: 1)
            let (tasks, parked) = (claimed.tasks, claimed.parked)
            #expect(tasks.isEmpty)
            #expect(parked.map(\.task.id) == [id])
            #expect(parked.first?.errormsg == "returned: 312 NO_ROUTE")
            _ = try await database.pool.query("UPDATE task SET due_time = now()")
            #expect(try await store.claim(limit: 1).parked.isEmpty)
            let record = try #require(try await store.tasks(status: .parked, limit: 5).first)
            #expect(record.status == "parked")
            #expect(record.attempts == 2)
            #expect(record.errormsg == "returned: 312 NO_ROUTE")
            #expect(try await store.backlog().parked == 1)

            #expect(try await store.makeDue(id))
            #expect(try await store.claim(limit: 1).tasks.map(\.attempts) == [1])
            #expect(try await !store.makeDue(id + 1))
        }
    }

    @Test("a postponed task is due after republishAfter, later each time, but never past the cap")
    func postpone() async throws {
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: TaskSettings())
            try await database.insertTasks(keys(4), route: route)
            let leases = try await store.claim(limit: 10).tasks.map(\.lease).sorted { $0.id < $1.id }
            let ids = leases.map(\.id)
            for (id, attempts) in zip(ids, [1, 2, 3, 25]) {
                _ = try await database.pool.query(
                    "UPDATE task SET attempts = $2 WHERE id = $1", [.int64(id), .int(attempts)])
            }
            try await store.postpone(leases)
            for (id, seconds) in zip(ids, [600, 1200, 2400, 3600]) {
                let wait = try await database.number(
                    "SELECT extract(epoch FROM due_time - now())::int FROM task WHERE id = $1", [.int64(id)])
                #expect((Int(Double(seconds) * 0.89)...Int(Double(seconds) * 1.11)).contains(wait))
            }
        }
    }

    @Test("a refusal says why and waits, a little longer each time")
    func refused() async throws {
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: TaskSettings())
            try await database.insertTasks(keys(2), route: route)
            let leases = try await store.claim(limit: 10).tasks.map(\.lease).sorted { $0.id < $1.id }
            try await store.refused([
                Refusal(lease: leases[0], attempts: 1, reason: "first"),
                Refusal(lease: leases[1], attempts: 6, reason: "sixth"),
            ])
            let rows = try await database.pool.query(
                "SELECT errormsg, (extract(epoch FROM due_time - update_time) * 1000)::int FROM task ORDER BY id")
            #expect(try rows.map { try $0.decode(String.self, at: 0) } == ["first", "sixth"])
            let waits = try rows.map { try $0.decode(Int.self, at: 1) }
            #expect((500...1_000).contains(waits[0]))
            #expect((16_000...32_000).contains(waits[1]))
        }
    }

    @Test("what an operator retries, or another process claims, is not put off by who sent it before")
    func postponeRetried() async throws {
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: TaskSettings())
            try await database.insertTasks(keys(2), route: route)
            let leases = try await store.claim(limit: 10).tasks.map(\.lease)
            for lease in leases { #expect(try await store.makeDue(lease.id)) }
            // Here or in another replica, it makes no difference: only the row is looked at.
            try await store.postpone(leases)
            try await store.refused(leases.map { Refusal(lease: $0, attempts: 1, reason: "late") })
            #expect(
                try await database.number("SELECT count(*) FROM task WHERE due_time <= now() AND errormsg IS NULL") == 2
            )
            #expect(try await store.claim(limit: 10).tasks.map(\.attempts) == [1, 1])
            try await store.postpone(leases)
            #expect(
                try await database.number("SELECT count(*) FROM task WHERE due_time > now() + interval '1 minute'") == 0
            )
        }
    }

    @Test("what was not sent is no attempt")
    func notAttempted() async throws {
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: TaskSettings())
            try await database.insertTasks(keys(3), route: route)
            let ids = try await store.claim(limit: 10).tasks.map(\.id)
            try await store.notAttempted(ids)
            #expect(try await database.number("SELECT count(*) FROM task WHERE attempts = 1") == 3)
            for _ in 0..<3 { try await store.notAttempted(ids) }
            #expect(try await database.number("SELECT count(*) FROM task WHERE attempts = 0") == 3)
        }
    }

    @Test("an answer that carries another task's body or time is not this one's; one that carries neither is")
    func foreign() async throws {
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: TaskSettings())
            try await database.insertTasks(keys(6), route: route)
            let tasks = try await store.claim(limit: 10).tasks.map(\.message).sorted { $0.id < $1.id }
            func answer(_ n: Int, _ body: String?, _ time: Int64?) -> Answer {
                Answer(
                    id: tasks[n].id, taskType: "add", status: .finished, errormsg: nil, requestBody: body,
                    createTime: time)
            }
            let answers = [
                answer(0, tasks[0].requestBody, tasks[0].createTime), answer(1, tasks[1].requestBody, nil),
                answer(2, nil, tasks[2].createTime), answer(3, nil, nil),
                answer(4, tasks[4].requestBody + " ", tasks[4].createTime),
                answer(5, tasks[5].requestBody, tasks[5].createTime + 1),
            ]
            let (archived, live) = try await database.pool.transaction { transaction in
                let archived = try store.archive(answers, in: transaction)
                return (archived, try store.live(tasks.map(\.id), in: transaction).live)
            }
            #expect(archived.map(\.id).sorted() == tasks.prefix(4).map(\.id))
            #expect(live == tasks.suffix(2).map(\.id))
        }
    }

    @Test("an answer moves its task to the archive once; whatever comes again finds nothing")
    func archive() async throws {
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: TaskSettings())
            try await database.insertTasks(keys(3), route: route)
            let ids = try await store.claim(limit: 10).tasks.map(\.id).sorted()
            let answers = [
                Answer(id: ids[0], taskType: "add", status: .finished, errormsg: nil),
                Answer(id: ids[1], taskType: nil, status: .rejected, errormsg: "why"),
                Answer(id: ids[2], taskType: "other", status: .finished, errormsg: nil),
                Answer(id: 999_999, taskType: "add", status: .finished, errormsg: nil),
            ]
            let archived = try await database.pool.transaction { try store.archive(answers, in: $0) }
            #expect(archived.map(\.id).sorted() == [ids[0], ids[1]])
            #expect(archived.first { $0.id == ids[1] }?.answer == .rejected(reason: "why"))
            let again = try await database.pool.transaction { try store.archive(answers, in: $0) }
            #expect(again.isEmpty)

            let records = try await store.tasks(about: "key-1")
            #expect(records.map(\.status) == ["rejected"])
            #expect(records.first?.errormsg == "why")
            #expect(records.first?.deleteTime != nil)
            #expect(try await database.number("SELECT count(*) FROM task") == 1)
            #expect(try await database.number("SELECT count(*) FROM task_his") == 2)
        }
    }

    @Test("the same answers, archived from many places at once, archive each task once")
    func archiveConcurrently() async throws {
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: TaskSettings())
            try await database.insertTasks(keys(200), route: route)
            let ids = try await store.claim(limit: 500).tasks.map(\.id)
            let archived = try await withThrowingTaskGroup(of: [AnsweredTask].self) { group in
                for _ in 0..<20 {
                    let answers = ids.shuffled().map {
                        Answer(id: $0, taskType: "add", status: .finished, errormsg: nil)
                    }
                    group.addTask { try await database.pool.transaction { try store.archive(answers, in: $0) } }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(archived.map(\.id).sorted() == ids.sorted())
            #expect(try await database.number("SELECT count(*) FROM task_his") == 200)
        }
    }
}
