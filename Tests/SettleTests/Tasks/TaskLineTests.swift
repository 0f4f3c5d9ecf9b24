import Foundation
import SettleCore
import SettlePostgres
import SettleRabbitMQ
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle

@Suite("Tasks in order by key", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(2)))
struct TaskLineTests {
    private let route = TestRoute()
    private let publisher = ScriptedPublisher()

    private func draft(_ key: String, line: String?, expiresAt: Date? = nil) throws -> TaskDraft {
        try TaskDraft(
            route.task, businessKey: key, body: LedgerApplier.Entry(key: line ?? key, amount: 1), traceParent: nil,
            options: TaskOptions(orderKey: line, expiresAt: expiresAt))
    }

    private func relay(
        _ database: TestDatabase, _ publisher: (any MessagePublisher)? = nil,
        _ change: (inout TaskSettings) -> Void = { _ in }
    ) -> OutboxRelay {
        var settings = TaskSettings()
        settings.scanInterval = .milliseconds(50)
        change(&settings)
        return OutboxRelay(
            settings: settings, database: database.pool, publisher: publisher ?? self.publisher, logger: quiet)
    }

    private func receiver(
        _ relay: OutboxRelay, _ database: TestDatabase, _ handler: @escaping AnswerHandler = { _, _ in }
    ) -> AnswerReceiver {
        AnswerReceiver(
            relay: relay, setAside: .unused(database, publisher, route), database: database.pool, logger: quiet,
            handler: handler)
    }

    private func finished(_ id: String) -> Delivery {
        route.answer(#"{"id":\#(id),"taskType":"add","status":"finished"}"#)
    }

    private func states(_ database: TestDatabase) async throws -> [String] {
        try await database.pool.query("SELECT business_key || ' ' || status FROM task ORDER BY id")
            .map { try $0.decode(String.self, at: 0) }
    }

    @Test("each is sent at once when the one before is answered, long before any scan; other lines do not wait")
    func stream() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database) {
                $0.scanInterval = .seconds(600)
                $0.lease = .seconds(300)
            }
            let receiver = receiver(relay, database)
            try await serving([relay]) {
                let drafts =
                    try (0..<30).map { try draft("a\($0)", line: "a") } + [
                        draft("b0", line: "b"), draft("c", line: nil),
                    ]
                try await database.pool.transaction { _ = relay.outbox.add(drafts, in: $0) }
                try await eventually { publisher.messages.count == 3 }
                for count in 0..<30 {
                    // All that were sent so far of the line, of which all but the last are answered.
                    let id = try #require(
                        publisher.ids.filter { $0 != publisher.ids[1] && $0 != publisher.ids[2] }.last)
                    try await receiver.handle([finished(id)], of: route.task)
                    try await eventually { publisher.messages.count == min(4 + count, 32) }
                }
            }
            let bodies = try await database.pool.query("SELECT business_key FROM task_his ORDER BY delete_time, id")
                .map { try $0.decode(String.self, at: 0) }
            #expect(bodies == (0..<30).map { "a\($0)" })
            #expect(try await states(database) == ["b0 pending", "c pending"])
        }
    }

    @Test("the order is that of the commits, and who adds waits for who has added and not committed yet")
    func commitOrder() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database)
            let one = try draft("first", line: "a")
            let two = try draft("second", line: "a")
            let (added, adding) = AsyncStream.makeStream(of: Void.self)
            let (queued, queueing) = AsyncStream.makeStream(of: Void.self)
            let slow = Task {
                try await database.pool.transaction { transaction in
                    _ = try relay.outbox.add(one, in: transaction).additions(in: transaction)
                    adding.finish()
                    // Until the other one waits for the line.
                    for _ in 0..<1_000 {
                        let rows = try transaction.query(
                            "SELECT count(*), pg_sleep(0.005) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                        )
                        if try rows[0].decode(Int.self, at: 0) > 0 { break }
                    }
                    queueing.finish()
                }
            }
            for await _ in added {}
            try await database.pool.transaction { _ = relay.outbox.add(two, in: $0) }
            for await _ in queued {}
            try await slow.value
            #expect(try await states(database) == ["first pending", "second waiting"])
        }
    }

    @Test("one that comes while the one before is being answered is not forgotten: it waits for that, and is sent")
    func race() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database) { $0.scanInterval = .seconds(600) }
            let next = try draft("second", line: "a")
            let adders = try TestDatabase.connect(database.url, connections: 1)
            // What follows from the answer has another transaction add to the line, and gives it time to.
            let added = Mutex<Task<Void, any Error>?>(nil)
            let receiver = receiver(relay, database) { transaction, _ in
                added.withLock {
                    $0 = Task { try await adders.transaction { _ = relay.outbox.add(next, in: $0) } }
                }
                _ = try transaction.query("SELECT pg_sleep(0.2)")
            }
            try await serving([adders, relay]) {
                let first = try draft("first", line: "a")
                try await database.pool.transaction { _ = relay.outbox.add(first, in: $0) }
                try await eventually { publisher.messages.count == 1 }
                try await receiver.handle([finished(publisher.ids[0])], of: route.task)
                try await added.withLock { $0 }?.value
                try await eventually { publisher.messages.count == 2 }
            }
        }
    }

    @Test("a parked head holds its line and no other; a retry sends it, a discard lets the next go")
    func parkedHead() async throws {
        try await TestDatabase.with { database in
            // A place in a line is a number of its own, drawn under its lock: every other one.
            publisher.answer { $0.messageID == "2" ? .nacked : .confirmed }
            let relay = relay(database) {
                $0.maxAttempts = 2
                $0.refusedBackoff = Backoff(initial: .milliseconds(1), cap: .milliseconds(1))
            }
            let ends = Mutex<[String]>([])
            let receiver = receiver(relay, database) { _, ended in
                ends.withLock { $0 += ended.map { "\($0.businessKey) \($0.end) \($0.answer)" } }
            }
            _ = receiver.subscription(to: route.task)
            try await serving([relay]) {
                let drafts = try ["a0", "a1", "a2"].map { try draft($0, line: "a") } + [draft("b0", line: "b")]
                try await database.pool.transaction { _ = relay.outbox.add(drafts, in: $0) }
                try await eventually { try await relay.store.backlog().heldLines == 1 }
                let backlog = try await relay.store.backlog()
                #expect(backlog.waiting == 2 && backlog.parked == 1 && backlog.pending == 1)
                #expect(Set(publisher.ids) == ["2", "8"])
                // The second waits whatever is asked of it.
                #expect(try await !relay.retry(4))
                publisher.forget()
                publisher.answer { _ in .confirmed }
                #expect(try await relay.retry(2))
                try await eventually { publisher.ids == ["2"] }
                #expect(try await relay.discard(2, reason: "no use"))
                #expect(try await !relay.discard(2, reason: "no use"))
                try await eventually { publisher.ids == ["2", "4"] }
                // From the midst.
                #expect(try await relay.discard(6, reason: "nor that"))
                #expect(try await states(database) == ["a1 pending", "b0 pending"])
            }
            #expect(
                ends.withLock { $0 } == [
                    #"a0 discarded rejected(reason: "no use")"#, #"a2 discarded rejected(reason: "nor that")"#,
                ])
            let late = try await database.number("SELECT count(*) FROM task_his WHERE status = 'discarded'")
            #expect(late == 2)
            try await receiver.handle([finished("2")], of: route.task)
            #expect(ends.withLock { $0.count } == 2, "an answer that comes later does nothing")
        }
    }

    @Test("one that waits behind nobody, because of a crash or by hand, is found and sent")
    func mended() async throws {
        try await TestDatabase.with { database in
            let writer = relay(database)
            let drafts = try (0..<3).map { try draft("a\($0)", line: "a") }
            try await database.pool.transaction { _ = writer.outbox.add(drafts, in: $0) }
            _ = try await database.pool.query("DELETE FROM task WHERE business_key = 'a0'")
            try await serving([relay(database)]) {
                try await eventually { publisher.ids == ["4"] }
            }
        }
    }

    @Test("a snapshot that is older than the lock would get the order wrong: other isolation levels are refused")
    func isolation() async throws {
        try await TestDatabase.with { database in
            let statement = OutboxStatement([try draft("a", line: "a")])
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { transaction in
                    transaction.add("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    _ = try transaction.query(statement.sql, statement.binds.map { .texts($0) })
                }
            }
            #expect(error?.sqlState == "ST020")
        }
    }

    @Test("transactions that add to the same lines in batches, each in its own order, do not stop each other")
    func noDeadlock() async throws {
        try await TestDatabase.with { database in
            let relay = relay(database)
            let pool = try TestDatabase.connect(database.url, connections: 8)
            let batches = try (0..<60).map { number in
                try (0..<10).map { try draft("\(number) \($0)", line: "line \(($0 * 7 + number * 3) % 10)") }
            }
            try await serving([pool]) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for batch in batches {
                        group.addTask { try await pool.transaction { _ = relay.outbox.add(batch, in: $0) } }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await database.number("SELECT count(*) FROM task WHERE status = 'pending'") == 10)
            #expect(try await database.number("SELECT count(*) FROM task WHERE status = 'waiting'") == 590)
        }
    }

    @Test(
        "two replicas, answers and losses by chance, connections that break: no line ever goes back",
        arguments: [1, 2, 3] as [UInt64])
    func anything(seed: UInt64) async throws {
        try await TestDatabase.with { database in
            let broker = LineBroker(seed: seed)
            let relays = (0..<2).map { _ in
                relay(database, broker) {
                    $0.lease = .milliseconds(300)
                    $0.republishAfter = .milliseconds(200)
                    $0.republishCap = .milliseconds(200)
                    $0.maxAttempts = 10_000
                    $0.refusedBackoff = Backoff(initial: .milliseconds(5), cap: .milliseconds(20))
                }
            }
            let receivers = relays.map { receiver($0, database) }
            let other = try TestDatabase.connect(database.url, connections: 4)
            // The one connection that it does not break is its own.
            let breaker = try TestDatabase.connect(database.url, connections: 1)
            try await serving([other, breaker] + relays) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for writer in 0..<4 {
                        group.addTask {
                            var chance = Chance(seed: seed * 100 + UInt64(writer))
                            for round in 0..<25 {
                                let drafts = try (0..<Int.random(in: 1...4, using: &chance)).map { number in
                                    try draft(
                                        "\(writer).\(round).\(number)",
                                        line: "line \(Int.random(in: 0..<5, using: &chance))")
                                }
                                let relay = relays[writer % 2]
                                // One whose connection breaks is committed, or is not.
                                try? await other.transaction { _ = relay.outbox.add(drafts, in: $0) }
                            }
                        }
                    }
                    group.addTask {
                        for _ in 0..<4 {
                            try await Task.sleep(for: .milliseconds(150))
                            _ = try await breaker.query(
                                """
                                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                                WHERE datname = current_database() AND pid <> pg_backend_pid()
                                """)
                        }
                    }
                    try await group.waitForAll()
                }
                let answering = Task {
                    var chance = Chance(seed: seed)
                    while !Task.isCancelled {
                        guard let id = broker.take() else {
                            try await Task.sleep(for: .milliseconds(1))
                            continue
                        }
                        // Lost on its way: it is sent again.
                        if Int.random(in: 0..<10, using: &chance) == 0 { continue }
                        broker.answering(id)
                        let receiver = receivers[Int.random(in: 0..<2, using: &chance)]
                        do {
                            try await receiver.handle([finished(String(id))], of: route.task)
                        } catch {
                            broker.giveBack(id)
                        }
                    }
                }
                try await eventually(within: .seconds(60)) {
                    try await breaker.query("SELECT FROM task LIMIT 1").isEmpty
                }
                answering.cancel()
                #expect(broker.faults == [])
                let rows = try await breaker.query("SELECT order_key, id FROM task_his ORDER BY order_key, id")
                var expected: [String: [Int64]] = [:]  // ours
                for row in rows {
                    expected[try row.decode(String.self, at: 0), default: []].append(try row.decode(Int64.self, at: 1))
                }
                #expect(rows.count > 50)
                #expect(broker.firstSeen == expected)
            }
        }
    }
}

/// A broker that loses and refuses by chance, and checks that no task is sent before the one before it was answered.
private final class LineBroker: MessagePublisher {
    private struct State {
        var chance: Chance
        var waiting: [Int64] = []
        var firstSeen: [String: [Int64]] = [:]  // ours
        var answered: Set<Int64> = []
        var faults: [String] = []
    }

    private let state: Mutex<State>

    init(seed: UInt64) { state = Mutex(State(chance: Chance(seed: seed))) }

    let takesMessages = true
    var faults: [String] { state.withLock { $0.faults } }
    var firstSeen: [String: [Int64]] { state.withLock { $0.firstSeen } }  // ours

    func publish(_ messages: [OutboundMessage]) async -> [PublishOutcome] {
        state.withLock { state in
            messages.map { message in
                guard let task = try? JSONDecoder().decode(TaskMessage.self, from: Data(message.body)),
                    let line = try? JSONDecoder().decode(LedgerApplier.Entry.self, from: Data(task.requestBody.utf8))
                        .key
                else {
                    state.faults.append("unreadable")
                    return .confirmed
                }
                let outcome = Int.random(in: 0..<10, using: &state.chance)
                if outcome == 0 { return .nacked }
                let seen = state.firstSeen[line] ?? []
                if !seen.contains(task.id) {
                    if let last = seen.last, last > task.id || !state.answered.contains(last) {
                        state.faults.append("\(task.id) of \(line) after \(last)")
                    }
                    state.firstSeen[line] = seen + [task.id]
                }
                // Perhaps the broker has it, and only its word is lost.
                if outcome != 1 { state.waiting.append(task.id) }
                return outcome <= 2 ? .lost(reason: "by chance") : .confirmed
            }
        }
    }

    func take() -> Int64? {
        state.withLock { state in
            guard !state.waiting.isEmpty else { return nil }
            return state.waiting.remove(at: Int.random(in: 0..<state.waiting.count, using: &state.chance))
        }
    }

    func answering(_ id: Int64) { state.withLock { _ = $0.answered.insert(id) } }
    func giveBack(_ id: Int64) { state.withLock { $0.waiting.append(id) } }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators): the same for the same seed.
private struct Chance: RandomNumberGenerator {
    var seed: UInt64

    mutating func next() -> UInt64 {
        seed &+= 0x9E37_79B9_7F4A_7C15
        var z = seed
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
