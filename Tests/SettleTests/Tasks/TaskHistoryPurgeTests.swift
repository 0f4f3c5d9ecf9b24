import SettleCore
import SettlePostgres
import SettleTestSupport
import Testing

@testable import Settle

@Suite("Archived tasks", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct TaskHistoryPurgeTests {
    /// `answered` is how long ago, as an interval made of `n`, counted from the oldest, and `count`.
    private func archive(_ database: TestDatabase, _ count: Int, from: Int = 0, answered: String) async throws {
        _ = try await database.pool.query(
            """
            INSERT INTO task_his (id, create_time, update_time, delete_time, task_type, business_key, mq_exchange,
                                  mq_routingkey, request_body, status, attempts, due_time)
            SELECT n + $2, now() - age, now(), now() - age, 't', n::text, 'e', 'k', '{}', 'finished', 1, now()
            FROM (SELECT n, \(answered) AS age FROM generate_series(1, $1::int) AS n) r
            """, [.int(count), .int(from)])
    }

    @Test("those answered longer ago than the retention are forgotten, in batches along the primary key")
    func old() async throws {
        try await TestDatabase.with { database in
            try await archive(database, 20_000, answered: "interval '30 days' - n * interval '1 minute'")
            _ = try await database.pool.query("UPDATE task_his SET delete_time = now() WHERE id IN (1, 700)")
            let retention = Duration.seconds(20 * 24 * 3600)
            let store = TaskStore(database: database.pool, settings: TaskSettings())
            let purge = TaskHistoryPurge(store: store, retention: retention)
            // Ten of the thirty days, but for those answered just now.
            let gone = try await purge.round()
            #expect((14_396...14_398).contains(gone), "\(gone)")
            #expect(try await database.number("SELECT count(*) FROM task_his WHERE id IN (1, 700)") == 2)
            _ = try await database.pool.query("VACUUM ANALYZE task_his")
            let plan = try await database.pool.transaction { transaction in
                transaction.planAlongTheIndex()
                return try transaction.query(
                    "EXPLAIN (ANALYZE, BUFFERS) " + store.statements.purge,
                    [.int(retention.milliseconds), .int(14_000)])
            }.map { try $0.decode(String.self, at: 0) }
            #expect(plan.contains { $0.contains("using task_his_pkey") }, "\(plan.joined(separator: "\n"))")
            #expect(!plan.contains { $0.contains("Seq Scan on") })
        }
    }

    @Test("a relay keeps them for ever, unless it is told for how long")
    func setting() async throws {
        try await TestDatabase.with { database in
            try await archive(database, 10, answered: "interval '900 days'")
            for retention in [nil, Duration.seconds(3600)] {
                var settings = TaskSettings()
                settings.historyRetention = retention
                let relay = OutboxRelay(
                    settings: settings, database: database.pool, publisher: ScriptedPublisher(), logger: quiet)
                try await serving([relay]) {
                    guard retention != nil else { return }
                    try await eventually {
                        try await database.number("SELECT count(*) FROM task_his") == 0
                    }
                }
                if retention == nil { #expect(try await database.number("SELECT count(*) FROM task_his") == 10) }
            }
        }
    }
}
