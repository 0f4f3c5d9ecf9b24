import SettleCore
import Foundation
import SettlePostgres
import SettleRabbitMQ
import SettleRedis
import SettleSchema
import ServiceLifecycle
import SettleTestSupport
import Testing

@testable import Settle

/// Tables, queues and keys are the user's to name: whoever has names of his own meets nobody.
@Suite("Names of one's own", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct SchemaTests {
    /// What somebody else has called so, in the schema that everybody has.
    private static let strangers = """
        CREATE TABLE task (id text PRIMARY KEY, title text NOT NULL);
        CREATE TABLE task_his (note text);
        INSERT INTO task VALUES ('1', 'mine');
        """

    private func isUntouched(_ database: TestDatabase) async throws -> Bool {
        let rows = try await database.pool.query(
            "SELECT id || title FROM public.task UNION ALL SELECT note FROM public.task_his")
        return try rows.map { try $0.decode(String.self, at: 0) } == ["1mine"]
    }

    @Test(
        "where public has a task already, the tables go into a schema of their own, and every statement finds them there"
    )
    func statements() async throws {
        let schema = try SchemaName("outbox")
        try await TestDatabase.with(before: Self.strangers, schemas: [schema]) { database in
            let error = await #expect(throws: PostgresMigrationError.self) {
                try await PostgresMigrator.apply(SettleSchema.tasks, on: database.pool)
            }
            guard case .failed(_, _, let cause) = error else { throw TestFailure("\(String(describing: error))") }
            #expect(cause.sqlState == "42P07", "what a stranger met before he could name a schema")

            var settings = TaskSettings()
            settings.lease = .zero
            settings.maxAttempts = 2
            // However busy the machine is, the one that is refused does not come due meanwhile.
            settings.refusedBackoff = Backoff(initial: .seconds(600), cap: .seconds(600))
            let store = TaskStore(database: database.pool, schema: schema, settings: settings)
            let drafts = try (1...3).map {
                try TaskDraft(TestRoute().task, businessKey: "k\($0)", body: ["n": $0], traceParent: nil)
            }
            try await database.pool.transaction { _ = store.insert(drafts, in: $0) }
            let tasks = try await store.claim(limit: 10).tasks
            #expect(tasks.map(\.businessKey) == ["k1", "k2", "k3"])
            try await store.refused([Refusal(lease: tasks[0].lease, attempts: 1, reason: "no room")])
            try await store.postpone([tasks[1].lease])
            try await store.notAttempted([tasks[2].id])
            #expect(try await store.held(among: tasks.map(\.id)).map(\.isHeld) == [false, false, false])
            #expect(try await store.tasks(status: .pending, limit: 5).count == 3)
            _ = try await store.claim(limit: 10)
            #expect(try await store.claim(limit: 10).parked.map(\.task.businessKey) == ["k3"])
            #expect(try await store.makeParkedDue(of: nil, after: 0, limit: 5) == [tasks[2].id])
            #expect(try await store.makeDue(tasks[0].id))
            let answer = Answer(id: tasks[0].id, taskType: nil, status: .finished, errormsg: nil)
            let (archived, live) = try await database.pool.transaction { transaction in
                let archived = try store.archive([answer], in: transaction)
                return (archived, try store.live(tasks.map(\.id), in: transaction).live)
            }
            #expect(archived.map(\.businessKey) == ["k1"])
            #expect(live == [tasks[1].id, tasks[2].id])
            #expect(try await store.backlog().pending == 2)
            #expect(try await store.tasks(about: "k1").map(\.status) == ["finished"])
            #expect(try await store.tasks(status: .finished, limit: 5).count == 1)
            #expect(try await TaskHistoryPurge(store: store, retention: .zero).round() == 1)
            #expect(try await isUntouched(database))
        }
    }

    @Test(
        "two applications with one database, broker and Redis: each task is done and answered by its own, with odd names too",
        .enabled(if: Testbed.amqpURL != nil && Testbed.redisURL != nil))
    func sideBySide() async throws {
        let schemas = [try SchemaName("outbox"), try SchemaName(#"The "Other" one's"#)]
        let redis = RedisClient(try RedisConfiguration(url: try #require(Testbed.redisURL)), logger: quiet)
        try await TestDatabase.with(before: Self.strangers, schemas: schemas) { database in
            let applications = try schemas.map { try Application(database, schema: $0, redis: redis) }
            try await serving([redis] + applications.flatMap(\.services)) {
                for application in applications { try await application.send(300) }
                for application in applications { try await application.awaitSettled(300) }
            }
            for (application, other) in zip(applications, applications.reversed()) {
                #expect(application.applier.batchSizes.reduce(0, +) == 300)
                #expect(try await application.keys() == Set((1...300).map { "\(application.schema) \($0)" }))
                #expect(application.route.deadLetters != other.route.deadLetters)
            }
            #expect(try await database.number("SELECT count(*) FROM ledger") == 600)
            #expect(try await database.number("SELECT count(*) FROM settle.set_aside") == 0)
            #expect(try await isUntouched(database))
        }
    }

    @Test(
        "without Redis there is nothing that knows copies but the database, and every task is still done once",
        .enabled(if: Testbed.amqpURL != nil))
    func withoutRedis() async throws {
        try await TestDatabase.with { database in
            let failpoints = try Failpoints("inbox.committed=throw@2,inbox.answered=throw@3")
            let application = try Application(database, schema: .public, redis: nil, failpoints: failpoints)
            try await serving(application.services) {
                try await application.send(1_000)
                try await application.awaitSettled(1_000)
            }
            #expect(try await database.number("SELECT amount FROM balance") == 1_000)
        }
    }

    @Test("sets are recorded under the names that databases have them by; another would apply them once more")
    func recorded() async throws {
        try await TestDatabase.with { database in
            for set in [SettleSchema.transactions, SettleSchema.at, SettleSchema.inbox, SettleSchema.messages] {
                try await PostgresMigrator.apply(set, on: database.pool)
            }
            let names = try await database.pool.query(
                #"SELECT DISTINCT "set" FROM settle.migration WHERE "set" <> 'ledger' ORDER BY 1"#)
            #expect(
                try names.map { try $0.decode(String.self, at: 0) }
                    == [
                        "settle-at", "settle-inbox", "settle-messages", "settle-set-aside", "settle-tasks",
                        "settle-transactions",
                    ])
        }
    }

    @Test("all names of a route may be the user's")
    func route() {
        let route = TaskRoute(
            taskType: "mail", exchange: "mailer", queue: "mailer.in", answerQueue: "mailer.answers", routingKey: "send",
            answerRoutingKey: "sent")
        let topology = Topology.tasks(
            [route], deadLetters: DeadLetterRoute(exchange: "mailer.dead", queue: "mailer.lost"))
        #expect(topology.queues.map(\.name) == ["mailer.lost", "mailer.in", "mailer.answers"])
        #expect(topology.bindings.map(\.routingKey) == ["", "send", "sent"])
        #expect(TaskRoute(taskType: "a", exchange: "e", queuePrefix: "q_").answerRoutingKey == "finisha")
    }
}

/// A sender and its receiver, with names of their own.
private struct Application {
    let schema: SchemaName
    let route: TestRoute
    let applier: LedgerApplier
    let services: [any Service]
    private let database: TestDatabase
    private let relay: OutboxRelay
    private let isReady: @Sendable () -> Bool

    init(_ database: TestDatabase, schema: SchemaName, redis: RedisClient?, failpoints: Failpoints = .none) throws {
        let (route, logger) = (TestRoute(), quiet)
        let broker = try RabbitMQConfiguration(url: try #require(Testbed.amqpURL))
        let publisher = RabbitMQPublisher(broker, topology: route.topology, logger: logger)
        let setAside = SetAside(
            database: database.pool,
            deadLetters: DeadLetters(route: route.deadLetters, publisher: publisher, logger: logger), logger: logger)
        let relay = OutboxRelay(database: database.pool, schema: schema, publisher: publisher, logger: logger)
        let listener = AnswerReceiver(
            relay: relay, setAside: setAside, database: database.pool, logger: logger
        ) { _, _ in }
        applier = LedgerApplier(database.pool)
        let inbox = TaskReceiver(
            route: route.task, applier: applier, publisher: publisher,
            dedup: redis.map { RedisDedup(redis: $0, logger: logger) }, setAside: setAside, failpoints: failpoints,
            logger: logger)
        let consumer = RabbitMQConsumer(
            broker, topology: route.topology,
            subscriptions: [inbox.subscription(prefetch: 100), listener.subscription(to: route.task)], logger: logger)
        services = [publisher, relay, setAside, consumer]
        isReady = { publisher.isUp && consumer.isUp }
        (self.schema, self.route, self.database, self.relay) = (schema, route, database, relay)
    }

    func send(_ count: Int) async throws {
        try await eventually { isReady() }
        let drafts = try (1...count).map {
            try TaskDraft(
                route.task, businessKey: "\(schema) \($0)",
                body: LedgerApplier.Entry(key: "\(schema) \($0)", amount: 1), traceParent: nil)
        }
        try await database.pool.transaction { [relay] in relay.outbox.add(drafts, in: $0) }
    }

    func awaitSettled(_ count: Int) async throws {
        try await eventually(within: .seconds(30)) {
            try await database.number("SELECT count(*) FROM \(schema.quoted).task_his") == count
        }
    }

    /// What its archived tasks were about.
    func keys() async throws -> Set<String> {
        Set(
            try await database.pool.query("SELECT business_key FROM \(schema.quoted).task_his").map {
                try $0.decode(String.self, at: 0)
            })
    }
}

private struct TestFailure: Error {
    let what: String
    init(_ what: String) { self.what = what }
}
