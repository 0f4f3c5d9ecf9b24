import Foundation
import SettleRabbitMQ
import SettleRedis
import SettleTestSupport
import Testing

@testable import SettlePostgres
@testable import Settle

@Suite(
    "Inbox", .serialized, .enabled(if: Testbed.postgresURL != nil && Testbed.redisURL != nil), .timeLimit(.minutes(1)))
struct InboxTests {
    private let route = TestRoute()
    private let publisher = ScriptedPublisher()

    /// A receiver's process, so to say: an inbox with a Redis owner of its own.
    private func inbox(
        _ applier: LedgerApplier, redis: RedisClient, setAside: SetAside? = nil, failpoints: Failpoints = .none
    ) -> TaskReceiver<LedgerApplier> {
        TaskReceiver(
            route: route.task, applier: applier, publisher: publisher,
            dedup: RedisDedup(redis: redis, logger: quiet),
            setAside: setAside ?? self.setAside(applier), failpoints: failpoints, logger: quiet)
    }

    private func setAside(_ applier: LedgerApplier) -> SetAside {
        SetAside(
            database: applier.database,
            deadLetters: DeadLetters(route: route.deadLetters, publisher: publisher, logger: quiet), logger: quiet)
    }

    /// With what a busy machine leaves untried at first.
    private func handleAll(_ deliveries: [Delivery], _ applier: LedgerApplier, _ redis: RedisClient) async throws {
        let setAside = setAside(applier)
        try await serving([setAside]) {
            try await inbox(applier, redis: redis, setAside: setAside).handle(deliveries)
            try await eventually { try await setAside.counts().waiting == 0 }
        }
    }

    private func with(
        _ body: (TestDatabase, LedgerApplier, RedisClient) async throws -> Void
    ) async throws {
        let redis = RedisClient(
            try RedisConfiguration(url: try #require(Testbed.redisURL)), logger: quiet)
        try await TestDatabase.with { database in
            try await serving([redis]) {
                try await eventually { redis.isUp }
                try await body(database, LedgerApplier(database.pool), redis)
            }
        }
    }

    /// Rows, and the balance that each of them raised.
    private func state(_ database: TestDatabase) async throws -> [Int] {
        [
            try await database.number("SELECT count(*) FROM ledger"),
            try await database.number("SELECT amount FROM balance"),
        ]
    }

    private var letters: [OutboundMessage] {
        publisher.messages.filter { $0.exchange == route.deadLetters.exchange }
    }
    private func answers() throws -> [TaskMessage] {
        try publisher.messages.filter { $0.routingKey == route.task.answerRoutingKey }
            .map { try JSONDecoder().decode(TaskMessage.self, from: Data($0.body)) }
    }

    @Test("a batch is applied at once, and each task answered")
    func batch() async throws {
        try await with { database, applier, redis in
            try await inbox(applier, redis: redis).handle(
                (1...50).map { route.delivery(id: $0, key: "k\($0)", amount: 2 * $0) })
            #expect(try await state(database) == [50, 2550])
            #expect(applier.batchSizes == [50])
            #expect(try answers().map(\.id).sorted() == Array(1...50))
            #expect(try answers().allSatisfy { $0.status == "finished" })
            #expect(publisher.messages.first?.exchange == route.exchange)
            #expect(publisher.messages.first?.messageID == "1")
            #expect(letters.isEmpty)
        }
    }

    @Test("a hundred copies of a task, together, one by one and at several receivers at once: one application")
    func copies() async throws {
        try await with { database, applier, redis in
            let here = inbox(applier, redis: redis)
            let there = inbox(applier, redis: redis)
            let copy = route.delivery(id: 1, key: "a", amount: 5)
            try await here.handle(Array(repeating: copy, count: 100))
            #expect(try await state(database) == [1, 5])
            #expect(try answers().count == 1)
            for _ in 0..<5 { try await there.handle([copy]) }
            #expect(try await state(database) == [1, 5])
            #expect(try answers().count == 6, "a duplicate is answered again")

            let second = route.delivery(id: 2, key: "b", amount: 7)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<100 {
                    group.addTask { try await (number.isMultiple(of: 2) ? here : there).handle([second]) }
                }
                try await group.waitForAll()
            }
            #expect(try await state(database) == [2, 12])
            #expect(try answers().contains { $0.id == 2 && $0.status == "finished" })

            // Redis forgets all of it.
            _ = try await redis.send([RedisCommand(["FLUSHDB"])])
            publisher.forget()
            try await there.handle([copy, second, copy])
            #expect(try await state(database) == [2, 12])
            #expect(try answers().map(\.id).sorted() == [1, 2])
        }
    }

    @Test("without Redis the database alone decides")
    func redisAway() async throws {
        try await with { database, applier, _ in
            let away = RedisClient(try RedisConfiguration(url: "redis://127.0.0.1:1"), logger: quiet)
            let inbox = inbox(applier, redis: away)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<30 {
                    group.addTask { try await inbox.handle((1...20).map { route.delivery(id: $0, key: "k\($0)") }) }
                }
                try await group.waitForAll()
            }
            #expect(try await state(database) == [20, 20])
            #expect(try answers().count == 600)
        }
    }

    @Test("a copy that another receiver has in hand is applied here, when that one dies with it")
    func inHandElsewhere() async throws {
        try await with { database, applier, redis in
            let dying = inbox(applier, redis: redis, failpoints: try Failpoints("inbox.beforeCommit=throw"))
            let other = inbox(applier, redis: redis)
            await #expect(throws: Failpoints.Injected.self) {
                try await dying.handle([route.delivery(id: 1, key: "a")])
            }
            try await other.handle([route.delivery(id: 1, key: "a")])
            #expect(try await state(database) == [1, 1])
            #expect(try answers().count == 1)
            #expect(applier.lookSizes == [1], "the database was asked first")
        }
    }

    @Test("new tasks cost no look at the database, copies one for the whole batch and nothing else")
    func cost() async throws {
        try await with { database, applier, redis in
            let batch = (1...50).map { route.delivery(id: $0, key: "k\($0)") }
            try await inbox(applier, redis: redis).handle(batch)
            #expect(applier.lookSizes == [] && applier.batchSizes == [50])
            applier.forget()
            for receiver in [inbox(applier, redis: redis), inbox(applier, redis: redis)] {
                try await receiver.handle(batch)
            }
            #expect(applier.lookSizes == [50, 50] && applier.batchSizes == [])
            applier.forget()
            try await inbox(applier, redis: redis).handle(batch + [route.delivery(id: 51, key: "k51")])
            #expect(applier.lookSizes == [50] && applier.batchSizes == [1])
            #expect(try await state(database) == [51, 51])
        }
    }

    @Test(
        "whatever somebody writes to Redis, each task is applied once and answered as the database says",
        arguments: [
            ("decided", 0), ("done", 0), ("rejected:forged", 0), ("hand:forged", 0), ("", 0), ("\u{0}", 0),
            // All of them are more than is read in one go.
            ("hand:", 2 << 20),
        ])
    func forged(value: String, length: Int) async throws {
        try await with { database, applier, redis in
            let batch = (1...10).map { route.delivery(id: $0, key: "k\($0)") }
            let inbox = inbox(applier, redis: redis)
            // Before the first delivery, before a copy, and always again.
            for _ in 0..<3 {
                for delivery in batch { try await forge(value, delivery, redis, length: length) }
                try await inbox.handle(batch)
            }
            #expect(try await state(database) == [10, 10])
            #expect(try answers().count == 30)
            #expect(try answers().allSatisfy { $0.status == "finished" })
            #expect(letters.isEmpty)
        }
    }

    @Test("a value of another type in Redis, or one that says of poison that it is known, harms nobody")
    func forgedType() async throws {
        try await with { database, applier, redis in
            let poison = route.delivery(id: 3, key: #"a\\u0000b"#)
            let batch = (1...2).map { route.delivery(id: $0, key: "k\($0)") } + [poison]
            _ = try await redis.send([RedisCommand(["LPUSH", try dedupKey(of: batch[0]), "decided"])])
            for delivery in batch.dropFirst() { try await forge("decided", delivery, redis) }
            try await handleAll(batch, applier, redis)
            #expect(try await state(database) == [2, 2])
            #expect(letters.map(\.body) == [poison.body])
        }
    }

    /// Written for ever, as one with Redis' password would.
    private func forge(
        _ value: String, _ delivery: Delivery, _ redis: RedisClient, length: Int = 0
    ) async throws {
        try await eventually { redis.isUp }
        let key = try dedupKey(of: delivery)
        var commands = [RedisCommand(["SET", key, value])]
        if length > 0 { commands.append(RedisCommand(["SETRANGE", key, String(length), "x"])) }
        let reply = try await redis.send(commands)
        #expect(reply.first == .status("OK"))
    }

    @Test("two applications with the same names of queues share a Redis, each with a prefix of its own")
    func prefixes() async throws {
        try await with { _, _, redis in
            let (key, name) = (UUID().uuidString, UUID().uuidString)
            let one = RedisDedup(redis: redis, keyPrefix: "\(name):one:", logger: quiet)
            let two = RedisDedup(redis: redis, keyPrefix: "\(name):two:", logger: quiet)
            #expect(await one.take([key]) == [.unknown])
            await one.decided([key])
            #expect(await one.take([key]) == [.decided])
            #expect(await two.take([key]) == [.unknown])
            let values = try await redis.send([.get("\(name):one:\(key)"), .get("\(name):two:\(key)")])
            #expect(values[0].text == RedisDedup.decided)
            #expect(values[1].text != RedisDedup.decided)
        }
    }

    private func dedupKey(of delivery: Delivery) throws -> String {
        let message = try JSONDecoder().decode(TaskMessage.self, from: Data(delivery.body))
        let hash = String(FNV1a.hash(message.requestBody.utf8), radix: 16)
        return "settle:\(route.task.queue):\(message.id):\(hash)"
    }

    @Test(
        "failing before its commit, after it, or after its answer, it applies once when the batch comes again",
        arguments: ["inbox.beforeCommit", "inbox.committed", "inbox.answered"])
    func failpoints(point: String) async throws {
        try await with { database, applier, redis in
            let inbox = inbox(applier, redis: redis, failpoints: try Failpoints("\(point)=throw@1"))
            let batch = (1...10).map { route.delivery(id: $0, key: "k\($0)") }
            await #expect(throws: Failpoints.Injected.self) { try await inbox.handle(batch) }
            try await inbox.handle(batch)
            #expect(try await state(database) == [10, 10])
            #expect(try Set(answers().map(\.id)) == Set(1...10))
        }
    }

    @Test("with the database away the batch must come again, and is applied then")
    func databaseAway() async throws {
        try await with { database, applier, redis in
            let inbox = inbox(applier, redis: redis)
            applier.failNext(PostgresError(.connectionLost), PostgresError(.commitUnknown), PostgresError(.unavailable))
            let batch = [route.delivery(id: 1, key: "a"), route.delivery(body: "not JSON")]
            for _ in 0..<3 {
                await #expect(throws: PostgresError.self) { try await inbox.handle(batch) }
                #expect(publisher.messages.isEmpty)
            }
            try await inbox.handle(batch)
            #expect(try await state(database) == [1, 1])
            #expect(letters.count == 1)
        }
    }

    @Test("what was not confirmed was not answered: the batch must come again")
    func unconfirmed() async throws {
        try await with { database, applier, redis in
            let inbox = inbox(applier, redis: redis)
            publisher.answer { $0.messageID == "2" ? .lost(reason: "down") : .confirmed }
            let batch = (1...3).map { route.delivery(id: $0, key: "k\($0)") }
            await #expect(throws: NotConfirmed.self) { try await inbox.handle(batch) }
            publisher.answer { _ in .confirmed }
            publisher.forget()
            try await inbox.handle(batch)
            #expect(try answers().map(\.id).sorted() == [1, 2, 3])
            #expect(try await state(database) == [3, 3])
        }
    }

    @Test("what cannot be done is answered as such, also to a late copy")
    func rejected() async throws {
        try await with { database, applier, redis in
            let inbox = inbox(applier, redis: redis)
            for _ in 0..<2 { try await inbox.handle([route.delivery(id: 1, key: "a", amount: 13)]) }
            #expect(try answers().map(\.status) == ["rejected", "rejected"])
            #expect(try answers().map(\.errormsg) == Array(repeating: "thirteen brings bad luck", count: 2))
            #expect(try await state(database) == [0, 0])
        }
    }

    @Test("poison among good ones: the good are applied, the poison is kept with its reason")
    func poison() async throws {
        try await with { database, applier, redis in
            let poison = [
                "", "not JSON", "[]", #"{"id":9,"taskType":"add"}"#,
                #"{"id":9,"taskType":"other","requestBody":"{\"key\":\"p\",\"amount\":1}"}"#,
                #"{"id":9,"taskType":"add","requestBody":"not JSON"}"#,
                #"{"id":9,"taskType":"add","requestBody":"{\"key\":\"p\",\"amount\":666}"}"#,
                String(repeating: " ", count: 1 << 20) + "{}",
            ]
            let good = (1...100).map { route.delivery(id: $0, key: "k\($0)") }
            try await inbox(applier, redis: redis).handle((good + poison.map { route.delivery(body: $0) }).shuffled())
            #expect(try await state(database) == [100, 100])
            #expect(applier.batchSizes == [100])
            let kept = Set(letters.map { String(decoding: $0.body, as: UTF8.self) })
            #expect(letters.count == poison.count)
            #expect(kept == Set(poison))
            #expect(letters.allSatisfy { $0.headers["x-queue"] == route.task.queue && $0.headers["x-reason"] != nil })
        }
    }

    @Test("a batch that fails for what is in one task isolates that one", arguments: [-1, 0])
    func isolation(kind: Int) async throws {
        try await with { database, applier, redis in
            // A negative amount breaks a CHECK in the database; a NUL cannot even be sent there.
            let bad =
                kind == -1 ? route.delivery(id: 50, key: "bad", amount: -1) : route.delivery(id: 50, key: #"a\\u0000b"#)
            let good = (1...20).map { route.delivery(id: $0, key: "k\($0)") }
            try await handleAll(good + [bad], applier, redis)
            #expect(try await state(database) == [20, 20])
            #expect(try answers().map(\.id).sorted() == Array(1...20))
            #expect(letters.map(\.body) == [bad.body])
            #expect(letters.first?.headers["x-reason"]?.contains("refused by the database") == true)
        }
    }

    @Test("two tasks about the same thing in one batch: the second meets what the first has done")
    func sameKey() async throws {
        try await with { database, applier, redis in
            try await inbox(applier, redis: redis).handle([
                route.delivery(id: 1, key: "a", amount: 5), route.delivery(id: 2, key: "b"),
                route.delivery(id: 3, key: "a", amount: 5), route.delivery(id: 4, key: "a", amount: 6),
            ])
            #expect(try await state(database) == [2, 6])
            #expect(try answers().map(\.id).sorted() == [1, 2, 3])
            // The fourth wants something else for the same key.
            #expect(letters.map(\.messageID) == ["4"])
        }
    }

    @Test("a trace that is none is ignored; the task is applied and answered, without it")
    func foreignTrace() async throws {
        try await with { database, applier, redis in
            let traces = [
                "", "x", String(repeating: "0", count: 4_000),
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ]
            let batch = traces.enumerated().map { index, trace in
                var delivery = route.delivery(id: Int64(index + 1), key: "k\(index)")
                delivery.headers[TraceHeader.name] = trace
                return delivery
            }
            try await inbox(applier, redis: redis).handle(batch)
            #expect(try await state(database) == [4, 4])
            #expect(publisher.messages.map { $0.headers[TraceHeader.name] } == [nil, nil, nil, traces[3]])
        }
    }

    @Test("what no broker could ever take is not tried again: neither an answer nor a dead letter")
    func impossible() async throws {
        try await with { database, applier, redis in
            publisher.answer { _ in .returned(code: 311, text: "too large") }
            try await inbox(applier, redis: redis).handle([route.delivery(id: 1, key: "a"), route.delivery(body: "{")])
            #expect(try await state(database) == [1, 1])
            #expect(publisher.messages.count == 2)
        }
    }

    @Test("dead letters that the broker refuses stay in the table, and stop nobody", arguments: [312, 404, 0])
    func refusedLetters(code: Int) async throws {
        try await with { database, applier, redis in
            publisher.answer { [route] message in
                guard message.exchange == route.deadLetters.exchange else { return .confirmed }
                return code == 0 ? .nacked : .returned(code: code, text: "no")
            }
            try await inbox(applier, redis: redis).handle([route.delivery(id: 1, key: "a"), route.delivery(body: "{")])
            #expect(try await state(database) == [1, 1])
            #expect(try answers().map(\.id) == [1])
            #expect(try await database.number("SELECT count(*) FROM settle.set_aside WHERE state = 'dead'") == 1)
        }
    }
}
