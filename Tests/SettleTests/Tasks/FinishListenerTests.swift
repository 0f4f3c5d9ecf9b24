import Foundation
import SettlePostgres
import SettleRabbitMQ
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle

@Suite("Finish listener", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct FinishListenerTests {
    private let route = TestRoute()
    private let publisher = ScriptedPublisher()

    private func listener(
        _ pool: PostgresDatabase, setAside: SetAside? = nil, failpoints: Failpoints = .none,
        handler: @escaping AnswerHandler
    ) -> AnswerReceiver {
        AnswerReceiver(
            relay: OutboxRelay(database: pool, publisher: publisher, logger: quiet),
            setAside: setAside ?? self.setAside(pool), database: pool, failpoints: failpoints, logger: quiet,
            handler: handler)
    }

    private func setAside(_ pool: PostgresDatabase) -> SetAside {
        SetAside(
            database: pool, deadLetters: DeadLetters(route: route.deadLetters, publisher: publisher, logger: quiet),
            logger: quiet)
    }

    /// Each task that is answered for the first time makes a row, so that a second time shows.
    private static let note: AnswerHandler = { transaction, answered in
        transaction.add(
            "INSERT INTO ledger SELECT key, 1 FROM unnest($1::text[]) AS key",
            [.texts(answered.map(\.businessKey))])
        transaction.add("UPDATE balance SET amount = amount + $1", [.int(answered.count)])
    }

    private func state(_ database: TestDatabase) async throws -> [Int] {
        [
            try await database.number("SELECT count(*) FROM task"),
            try await database.number("SELECT count(*) FROM task_his"),
            try await database.number("SELECT count(*) FROM ledger"),
            try await database.number("SELECT amount FROM balance"),
        ]
    }

    private func finished(_ id: Int) -> Delivery {
        route.answer(#"{"id":\#(id),"taskType":"add","status":"finished"}"#)
    }

    @Test("a hundred answers to one task, together, one by one and all at once, have one effect")
    func copies() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks(["a", "b"], route: route)
            let listener = listener(database.pool, handler: Self.note)
            try await listener.handle(Array(repeating: finished(1), count: 100))
            #expect(try await state(database) == [1, 1, 1, 1])
            for _ in 0..<10 { try await listener.handle([finished(1)]) }
            #expect(try await state(database) == [1, 1, 1, 1])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<100 { group.addTask { try await listener.handle([finished(2)]) } }
                try await group.waitForAll()
            }
            #expect(try await state(database) == [0, 2, 2, 2])
        }
    }

    @Test("what follows is told what the receiver said, once for each task")
    func handler() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks(["a", "b", "c"], route: route)
            let answered = Mailboxed()
            let body = #"{\"key\" : \"c\", \"amount\" : 1}"#
            let listener = listener(database.pool) { _, tasks in answered.add(tasks) }
            try await listener.handle([
                finished(1), route.answer(#"{"id":2,"taskType":"add","status":"rejected","errormsg":"no"}"#),
                // The task itself, echoed, with a field of the peer's own.
                route.answer(#"{"id":3,"taskType":"add","status":"pending","requestBody":"\#(body)","peer":{"v":1}}"#),
                finished(77),
            ])
            let tasks = answered.tasks.sorted { $0.id < $1.id }
            #expect(tasks.map(\.businessKey) == ["a", "b", "c"])
            #expect(tasks.map(\.answer) == [.finished, .rejected(reason: "no"), .finished])
            #expect(tasks.first?.requestBody.contains(#""key" : "a""#) == true)
            let statuses = try await database.pool.query("SELECT status, errormsg FROM task_his ORDER BY id")
            #expect(try statuses.map { try $0.decode(String.self, at: 0) } == ["finished", "rejected", "finished"])
            #expect(try statuses.map { try $0.decode(String?.self, at: 1) } == [nil, "no", nil])
        }
    }

    @Test("an answer to another type of task is not ours")
    func otherType() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks(["a"], route: route)
            let listener = listener(database.pool, handler: Self.note)
            try await listener.handle([route.answer(#"{"id":1,"taskType":"other","status":"finished"}"#)])
            #expect(try await state(database) == [1, 0, 0, 0])
        }
    }

    @Test("an answer to another sender's task with the same id changes nothing, before, after or beside one's own")
    func foreign() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks(["a", "b", "c", "d"], route: route)
            let listener = listener(database.pool, handler: Self.note)
            func answer(_ id: Int, _ key: String, _ status: String, _ more: String = "") -> Delivery {
                route.answer(
                    #"{"id":\#(id),"taskType":"add","status":"\#(status)","errormsg":"no","#
                        + #""requestBody":"{\"key\" : \"\#(key)\", \"amount\" : 1}"\#(more)}"#)
            }
            try await listener.handle([answer(1, "x", "rejected"), answer(2, "b", "finished", #","createTime":1"#)])
            #expect(try await state(database) == [4, 0, 0, 0])
            // The peer's own idea of a time is no reason to take it for a stranger, and a NUL is in no task.
            try await listener.handle([
                answer(1, "x", "rejected"), answer(1, "a", "finished"),
                answer(2, "b", "finished", #","createTime":"yesterday""#), answer(3, #"\u0000"#, "rejected"),
            ])
            #expect(try await state(database) == [2, 2, 2, 2])
            #expect(try await database.number("SELECT count(*) FROM task_his WHERE status = 'finished'") == 2)
            #expect(publisher.messages.isEmpty, "a stranger's answer is no dead letter")
        }
    }

    @Test("what cannot be read goes to the dead letters, with the reason; its neighbours are archived")
    func poison() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks((0..<5).map(String.init), route: route)
            let setAside = setAside(database.pool)
            let listener = listener(database.pool, setAside: setAside, handler: Self.note)
            let answers = [
                finished(1), route.answer("not JSON", messageID: "m"), finished(2),
                route.answer(#"{"status":"finished"}"#),
                route.answer(#"{"id":3,"status":"unheard of"}"#), finished(4),
                route.answer(#"{"id":5,"status":"rejected","errormsg":"a NUL: \u0000"}"#),
            ]
            try await serving([setAside]) {
                try await listener.handle(answers, of: route.task)
                try await eventually { try await setAside.counts().waiting == 0 }
            }
            #expect(try await state(database) == [2, 3, 3, 3])
            let letters = publisher.messages
            #expect(letters.count == 4)
            #expect(letters.allSatisfy { $0.exchange == route.deadLetters.exchange })
            #expect(letters.first?.body == Array("not JSON".utf8))
            #expect(letters.first?.messageID == "m")
            #expect(letters.first?.headers["x-queue"] == route.task.answerQueue)
            #expect(letters.first?.headers["x-reason"]?.isEmpty == false)
        }
    }

    @Test("a batch that fails for what is in one answer isolates that one; its task stays")
    func isolation() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks((1...10).map(String.init), route: route)
            let setAside = setAside(database.pool)
            let listener = listener(database.pool, setAside: setAside) { transaction, answered in
                try Self.note(transaction, answered)
                transaction.add(
                    "SELECT 1 / count(*) FROM unnest($1::text[]) AS key WHERE key <> '7'",
                    [.texts(answered.map(\.businessKey).contains("7") ? ["7"] : ["fine"])])
            }
            try await serving([setAside]) {
                try await listener.handle((1...10).map(finished), of: route.task)
                // At once, but on a machine that is so busy that some were left untried.
                try await eventually(otherwise: { await Self.waiting(setAside) }) {
                    try await setAside.counts().waiting == 0
                }
            }
            #expect(try await state(database) == [1, 9, 9, 9])
            #expect(try await database.number("SELECT business_key::int FROM task") == 7)
            #expect(publisher.messages.count == 1)
            #expect(publisher.messages.first?.headers["x-reason"]?.contains("22012") == true)
        }
    }

    private static func waiting(_ setAside: SetAside) async -> String {
        do {
            return "\(try await setAside.records(isDead: false, limit: 9))"
        } catch {
            return "\(error)"
        }
    }

    @Test("with the database away the batch must come again")
    func databaseAway() async throws {
        // Port 1 on loopback: refused at once.
        let away = try TestDatabase.connect("postgres://u@127.0.0.1:1/d", connections: 1)
        try await serving([away]) {
            let listener = listener(away, handler: Self.note)
            await #expect(throws: PostgresError.self) { try await listener.handle([finished(1)]) }
            #expect(publisher.messages.isEmpty)
        }
    }

    @Test("with a dead letter unconfirmed the batch must come again")
    func unconfirmed() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks(["a"], route: route)
            let listener = listener(database.pool, handler: Self.note)
            publisher.answer { _ in .lost(reason: "down") }
            let batch = [finished(1), route.answer("not JSON")]
            await #expect(throws: NotConfirmed.self) { try await listener.handle(batch) }
            publisher.answer { _ in .confirmed }
            try await listener.handle(batch)
            #expect(try await state(database) == [0, 1, 1, 1])
        }
    }

    @Test("failing before or after its commit, it has its effect once when it is handled again")
    func failpoints() async throws {
        for point in ["finish.beforeCommit", "finish.committed"] {
            try await TestDatabase.with { database in
                try await database.insertTasks(["a", "b"], route: route)
                let listener = listener(
                    database.pool, failpoints: try Failpoints("\(point)=throw@1"), handler: Self.note)
                await #expect(throws: Failpoints.Injected.self) {
                    try await listener.handle([finished(1), finished(2)])
                }
                try await listener.handle([finished(1), finished(2)])
                #expect(try await state(database) == [0, 2, 2, 2])
            }
        }
    }
}

/// What a handler was called with.
private final class Mailboxed: Sendable {
    private let all = Mutex<[AnsweredTask]>([])
    var tasks: [AnsweredTask] { all.withLock { $0 } }
    func add(_ tasks: [AnsweredTask]) { all.withLock { $0 += tasks } }
}
