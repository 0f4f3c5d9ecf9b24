import Foundation
import SettlePostgres
import SettleRabbitMQ
import SettleRedis
import SettleTestSupport
import Testing

@testable import Settle

/// With keys, what is not signed changes nothing: tasks, answers, and what was set aside.
@Suite("Signed messages", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct SignedMessagesTests {
    private let route = TestRoute()
    private let publisher = ScriptedPublisher()
    private static let (key, newer) = ("key-0123456789abcdef", "newer-key-0123456789")

    private func keys(_ texts: String...) throws -> MessageKeys {
        try MessageKeys(texts.map { "add=\($0)" }.joined(separator: ","), for: [route.task])
    }

    private func setAside(_ pool: PostgresDatabase) -> SetAside {
        SetAside(
            database: pool,
            deadLetters: DeadLetters(route: route.deadLetters, publisher: publisher, logger: quiet),
            logger: quiet)
    }

    private func inbox(_ pool: PostgresDatabase, _ setAside: SetAside, _ keys: MessageKeys) throws
        -> TaskReceiver<LedgerApplier>
    {
        let away = RedisClient(try RedisConfiguration(url: "redis://127.0.0.1:1"), logger: quiet)
        return TaskReceiver(
            route: route.task, applier: LedgerApplier(pool), publisher: publisher,
            dedup: RedisDedup(redis: away, logger: quiet), setAside: setAside, keys: keys,
            logger: quiet)
    }

    private func listener(_ pool: PostgresDatabase, _ setAside: SetAside, _ keys: MessageKeys) -> AnswerReceiver {
        let relay = OutboxRelay(database: pool, publisher: publisher, keys: keys, logger: quiet)
        return AnswerReceiver(relay: relay, setAside: setAside, database: pool, logger: quiet) {
            transaction, answered in
            transaction.add(
                "INSERT INTO ledger SELECT key, 1 FROM unnest($1::text[]) AS key",
                [.texts(answered.map(\.businessKey))])
        }
    }

    /// As somebody with `keys` would have published it.
    private func signed(_ delivery: Delivery, _ kind: SignedKind, _ keys: MessageKeys) -> Delivery {
        var message = OutboundMessage(
            exchange: delivery.exchange, routingKey: delivery.routingKey, messageID: delivery.messageID ?? "",
            body: delivery.body)
        keys.sign(&message, as: kind, of: route.taskType)
        var delivery = delivery
        delivery.headers = message.headers
        return delivery
    }

    private func delivery(_ message: OutboundMessage, from queue: String) -> Delivery {
        Delivery(
            queue: queue, exchange: message.exchange, routingKey: message.routingKey, messageID: message.messageID,
            headers: message.headers, body: message.body)
    }

    private var letters: [OutboundMessage] {
        publisher.messages.filter { $0.exchange == route.deadLetters.exchange }
    }
    private var answers: [OutboundMessage] {
        publisher.messages.filter { $0.routingKey == route.task.answerRoutingKey }
    }

    @Test("of a batch only the signed tasks are applied; the others are dead letters that say why, sent again or not")
    func tasks() async throws {
        try await TestDatabase.with { database in
            let keys = try keys(Self.key)
            let setAside = setAside(database.pool)
            let inbox = try inbox(database.pool, setAside, keys)
            var tampered = signed(route.delivery(id: 2, key: "b", amount: 5), .task, keys)
            tampered.body = route.delivery(id: 2, key: "b", amount: 7).body
            try await inbox.handle([
                signed(route.delivery(id: 1, key: "a"), .task, keys), tampered, route.delivery(id: 3, key: "c"),
                signed(route.delivery(id: 4, key: "d"), .task, try self.keys(Self.newer)),
                signed(route.delivery(id: 5, key: "e"), .answer, keys),
            ])
            #expect(try await database.number("SELECT count(*) FROM ledger") == 1)
            #expect(answers.map(\.messageID) == ["1"])
            #expect(letters.map(\.messageID) == ["2", "3", "4", "5"])
            #expect(letters.allSatisfy { $0.headers["x-reason"]?.hasPrefix("signature: ") == true })
            // An operator's word is no signature.
            try await serving([setAside]) {
                let retried = try await setAside.retryAll()
                #expect(retried == 4)
                try await eventually { try await setAside.counts() == SetAsideCounts(waiting: 0, dead: 4) }
            }
            #expect(try await database.number("SELECT count(*) FROM ledger") == 1)
        }
    }

    @Test("forged answers change nothing, however much they know of the task; the true one archives it")
    func answersTo() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks(["a", "b"], route: route)
            let keys = try keys(Self.key)
            let setAside = setAside(database.pool)
            let listener = listener(database.pool, setAside, keys)
            func answer(_ status: String) -> Delivery {
                route.answer(
                    #"{"id":1,"taskType":"add","status":"\#(status)","errormsg":"no","#
                        + #""requestBody":"{\"key\" : \"a\", \"amount\" : 1}"}"#, messageID: "1")
            }
            var tampered = signed(answer("finished"), .answer, keys)
            tampered.body = answer("rejected").body
            let forged = [
                answer("finished"), answer("rejected"), tampered, signed(answer("rejected"), .task, keys),
                signed(answer("finished"), .answer, try self.keys(Self.newer)),
            ]
            try await listener.handle(forged, of: route.task)
            #expect(try await database.number("SELECT count(*) FROM task WHERE status = 'pending'") == 2)
            #expect(try await database.number("SELECT count(*) FROM ledger") == 0)
            #expect(letters.count == forged.count)
            #expect(letters.allSatisfy { $0.headers["x-reason"]?.hasPrefix("signature: ") == true })
            try await listener.handle([signed(answer("finished"), .answer, keys)] + forged, of: route.task)
            #expect(try await database.number("SELECT count(*) FROM task") == 1)
            #expect(try await database.number("SELECT count(*) FROM task_his WHERE status = 'finished'") == 1)
            // Again, as somebody would who has kept it.
            try await listener.handle([signed(answer("finished"), .answer, keys)], of: route.task)
            #expect(try await database.number("SELECT count(*) FROM task_his") == 1)
        }
    }

    @Test("whoever has the key of one type of task has no say in another, whatever the answer says of itself")
    func otherType() async throws {
        try await TestDatabase.with { database in
            try await database.insertTasks(["a"], route: route)
            let other = TaskRoute(taskType: "other", exchange: route.exchange, queuePrefix: "cg_")
            let keys = try MessageKeys("add=\(Self.key),other=\(Self.newer)", for: [route.task, other])
            let listener = listener(database.pool, setAside(database.pool), keys)
            for body in [#"{"id":1,"taskType":"add","status":"finished"}"#, #"{"id":1,"status":"finished"}"#] {
                var message = OutboundMessage(
                    exchange: other.exchange, routingKey: other.answerRoutingKey, messageID: "1", body: Array(body.utf8)
                )
                keys.sign(&message, as: .answer, of: "other")
                try await listener.handle([delivery(message, from: other.answerQueue)], of: other)
            }
            #expect(try await database.number("SELECT count(*) FROM task WHERE status = 'pending'") == 1)
            #expect(publisher.messages.isEmpty, "foreign, and signed by somebody who may")
        }
    }

    @Test(
        "a task and its answer go there and back, also between two steps of a change of keys",
        arguments: [
            [key], [key, newer], [newer, key], [key, "unsigned"],
        ])
    func thereAndBack(receiver: [String]) async throws {
        try await TestDatabase.with { database in
            let sender = try keys(Self.key, Self.newer)
            let receiver = try MessageKeys(receiver.map { "add=\($0)" }.joined(separator: ","), for: [route.task])
            let setAside = setAside(database.pool)
            try await database.insertTasks(["a", "b"], route: route)
            let relay = OutboxRelay(
                database: database.pool, publisher: publisher, keys: sender, logger: quiet)
            try await serving([relay]) {
                try await eventually { publisher.messages.count == 2 }
            }
            let tasks = publisher.messages.map { delivery($0, from: route.task.queue) }
            #expect(tasks.allSatisfy { $0.headers["x-settle-signature"]?.hasPrefix("v1=") == true })
            try await inbox(database.pool, setAside, receiver).handle(tasks)
            #expect(answers.count == 2)
            _ = try await database.pool.query("TRUNCATE ledger")
            let deliveries = answers.map { delivery($0, from: route.task.answerQueue) }
            try await listener(database.pool, setAside, sender).handle(deliveries, of: route.task)
            #expect(try await database.number("SELECT count(*) FROM task_his") == 2)
            #expect(letters.isEmpty)
        }
    }

    @Test("what is set aside keeps its signature, also when a copy that nobody signed was there first")
    func setAsideKeeps() async throws {
        try await TestDatabase.with { database in
            let keys = try keys(Self.key)
            let setAside = setAside(database.pool)
            let inbox = try inbox(database.pool, setAside, keys)
            let (waits, dies) = (route.delivery(id: 1, key: "a"), route.delivery(id: 2, key: "b"))
            try await inbox.handle([waits, dies])
            #expect(
                try await setAside.records(limit: 9).map(\.reason)
                    == Array(repeating: "signature: the message has none", count: 2))
            try await database.pool.script(
                """
                CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF NEW.key = 'b' THEN RAISE 'no' USING ERRCODE = '23514'; ELSE RAISE 'later'; END IF; END $$;
                CREATE TRIGGER raise BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION raise();
                """)
            try await inbox.handle([signed(waits, .task, keys)])
            try await inbox.handle([signed(dies, .task, keys)])
            #expect(try await setAside.counts() == SetAsideCounts(waiting: 1, dead: 1))
            #expect(try await setAside.records(limit: 9).map(\.reason) == ["refused by the database: 23514"])
            // And now it is the other's turn to come too late.
            try await inbox.handle([waits, dies])
            #expect(try await setAside.counts() == SetAsideCounts(waiting: 1, dead: 1))
            _ = try await database.pool.query("DROP TRIGGER raise ON ledger")
            try await serving([setAside]) {
                let retried = try await setAside.retryAll()
                #expect(retried == 1)
                try await eventually { try await setAside.counts() == SetAsideCounts(waiting: 0, dead: 0) }
            }
            #expect(try await database.number("SELECT count(*) FROM ledger") == 2)
        }
    }
}
