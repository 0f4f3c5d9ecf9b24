import SettlePostgres
import Testing

@testable import Settle

@Suite("Settings of one type of task", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct TaskTypeSettingsTests {
    /// Seconds until each task is due.
    private func due(_ database: TestDatabase) async throws -> [String: Int] {
        let rows = try await database.pool.query(
            "SELECT task_type, round(extract(epoch FROM due_time - now()))::int AS due FROM task")
        return try Dictionary(
            rows.map { (try $0.decode(String.self, "task_type"), try $0.decode(Int.self, "due")) },
            uniquingKeysWith: { $1 })
    }

    @Test("its lease, when it is written, claimed, and sent again")
    func lease() async throws {
        let types = ["own", "other"]
        var settings = TaskSettings()
        settings.types["own"] = TaskSettings.OfType(lease: .seconds(1000), republishAfter: .seconds(50_000))
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: settings)
            try await database.pool.transaction { transaction in
                let drafts = try types.map {
                    try TaskDraft(
                        TaskRoute(taskType: $0, exchange: "x", queuePrefix: "x."), businessKey: "k", body: 1,
                        traceParent: nil)
                }
                _ = store.insert(drafts, in: transaction)
            }
            var due = try await due(database)
            #expect((990...1000).contains(due["own"] ?? 0) && (0...5).contains(due["other"] ?? 100))
            _ = try await database.pool.query("UPDATE task SET due_time = now()")
            let claimed = try await store.claim(limit: 10).tasks
            due = try await self.due(database)
            #expect((990...1000).contains(due["own"] ?? 0) && (0...5).contains(due["other"] ?? 100))
            for task in claimed {
                let left = task.leaseEnd - .now
                #expect(task.message.taskType == "own" ? left > .seconds(900) : left < .seconds(10))
            }
            try await store.postpone(claimed.map(\.lease))
            due = try await self.due(database)
            #expect((44_990...55_000).contains(due["own"] ?? 0) && (1070...1320).contains(due["other"] ?? 0))
        }
    }

    @Test("how often it is sent before it is parked")
    func attempts() async throws {
        var settings = TaskSettings()
        settings.maxAttempts = 5
        settings.types["own"] = TaskSettings.OfType(maxAttempts: 1)
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: settings)
            _ = try await database.pool.query(
                """
                INSERT INTO task (task_type, business_key, mq_exchange, mq_routingkey, request_body, due_time)
                SELECT t, 'k', 'x', t, '1', now() FROM unnest('{own,other}'::text[]) AS t
                """)
            let claimed = try await store.claim(limit: 10)
            let (tasks, parked) = (claimed.tasks, claimed.parked)
            #expect(tasks.map(\.message.taskType) == ["other"])
            #expect(parked.map(\.task.message.taskType) == ["own"])
        }
    }
}
