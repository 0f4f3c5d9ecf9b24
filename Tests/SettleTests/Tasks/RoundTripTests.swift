import SettleCore
import Foundation
import SettlePostgres
import SettleRabbitMQ
import SettleRedis
import SettleTestSupport
import Testing

@testable import Settle

/// All parts together on a real broker: relay, inbox and finish listener.
@Suite(
    "Tasks, there and back",
    .enabled(if: Testbed.postgresURL != nil && Testbed.redisURL != nil && Testbed.amqpURL != nil),
    .timeLimit(.minutes(1)))
struct RoundTripTests {
    @Test(
        "every task is applied once and archived once, with failpoints on the way, and signed",
        arguments: [
            ("", ""), ("inbox.committed=throw@2,inbox.answered=throw@3,finish.committed=throw@2", ""),
            ("inbox.committed=throw@2", "add=key-0123456789abcdef"),
        ])
    func roundTrip(failpoints: String, keys: String) async throws {
        let route = TestRoute()
        let keys = try MessageKeys(keys, for: [route.task])
        let broker = try RabbitMQConfiguration(url: try #require(Testbed.amqpURL))
        let redis = RedisClient(
            try RedisConfiguration(url: try #require(Testbed.redisURL)), logger: quiet)
        try await TestDatabase.with { database in
            let failpoints = try Failpoints(failpoints)
            let publisher = RabbitMQPublisher(broker, topology: route.topology, logger: quiet)
            let setAside = SetAside(
                database: database.pool,
                deadLetters: DeadLetters(route: route.deadLetters, publisher: publisher, logger: quiet),
                logger: quiet)
            let relay = OutboxRelay(
                database: database.pool, publisher: publisher, keys: keys, logger: quiet)
            let listener = AnswerReceiver(
                relay: relay, setAside: setAside, database: database.pool, failpoints: failpoints,
                logger: quiet
            ) { _, _ in }
            let inbox = TaskReceiver(
                route: route.task, applier: LedgerApplier(database.pool), publisher: publisher,
                dedup: RedisDedup(redis: redis, logger: quiet), setAside: setAside, keys: keys,
                failpoints: failpoints, logger: quiet)
            let consumer = RabbitMQConsumer(
                broker, topology: route.topology,
                subscriptions: [inbox.subscription(prefetch: 100), listener.subscription(to: route.task)],
                logger: quiet)
            try await serving([redis, publisher, relay, setAside, consumer]) {
                try await eventually { publisher.isUp && consumer.isUp }
                for round in 0..<10 {
                    let drafts = try (0..<100).map {
                        try TaskDraft(
                            route.task, businessKey: "\(round).\($0)",
                            body: LedgerApplier.Entry(key: "\(round).\($0)", amount: 2), traceParent: nil)
                    }
                    try await database.pool.transaction { relay.outbox.add(drafts, in: $0) }
                }
                try await eventually(within: .seconds(30)) {
                    try await database.number("SELECT count(*) FROM task_his") == 1_000
                }
            }
            #expect(try await database.number("SELECT count(*) FROM task") == 0)
            #expect(try await database.number("SELECT count(*) FROM ledger") == 1_000)
            #expect(try await database.number("SELECT amount FROM balance") == 2_000)
        }
    }
}
