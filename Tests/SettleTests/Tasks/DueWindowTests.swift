import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

@testable import Settle

@Suite("How far back a look for due tasks goes")
struct DueWindowTests {
    private let start = ContinuousClock.now

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    @Test("to the beginning, every time, as long as that costs next to nothing")
    func cheap() {
        var window = DueWindow()
        for second in 0..<5 {
            #expect(window.reach(at: at(second * 1_000)) == nil)
            window.looked(nil, from: at(second * 1_000), to: at(second * 1_000 + 5), upTo: nil)
        }
    }

    @Test(
        "where it costs something, to where the last look came to, and a little further; to the beginning now and then")
    func dear() {
        var window = DueWindow()
        window.looked(nil, from: start, to: at(100), upTo: nil)
        #expect(window.reach(at: at(1_000)) == .milliseconds(1_000) + DueWindow.overlap)
        window.looked(.seconds(6), from: at(1_000), to: at(1_001), upTo: nil)
        #expect(window.reach(at: at(2_000)) == .milliseconds(1_000) + DueWindow.overlap)
        #expect(window.reach(at: at(10_099)) != nil)
        // A hundredth of the time.
        #expect(window.reach(at: at(10_100)) == nil)
    }

    @Test("after a look that left some, from the last that it came to")
    func rest() {
        var window = DueWindow()
        window.looked(nil, from: start, to: at(100), upTo: .seconds(30))
        #expect(window.reach(at: at(200)) == .milliseconds(30_200) + DueWindow.overlap)
    }

    @Test("however long it takes, to the beginning once a minute")
    func capped() {
        var window = DueWindow()
        window.looked(nil, from: start, to: at(5_000), upTo: nil)
        #expect(window.reach(at: at(64_999)) != nil)
        #expect(window.reach(at: at(65_000)) == nil)
    }
}

@Suite("Looks for due tasks", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct DueLookTests {
    private let route = TestRoute()

    @Test("a look claims what has not been due for longer than it is told; a look from the beginning claims the rest")
    func reach() async throws {
        try await TestDatabase.with { database in
            let store = TaskStore(database: database.pool, settings: TaskSettings())
            try await database.insertTasks(["late"], dueAfter: .seconds(-60), route: route)
            try await database.insertTasks(["b"], dueAfter: .seconds(-9), route: route)
            try await database.insertTasks(["a"], dueAfter: .seconds(-20), route: route)
            let first = try await store.claim(limit: 1, reach: .seconds(30))
            #expect(first.tasks.map(\.businessKey) == ["a"])
            #expect(first.upTo >= .seconds(20) && first.upTo < .seconds(30))
            #expect(try await store.claim(limit: 10, reach: .seconds(30)).tasks.map(\.businessKey) == ["b"])
            #expect(try await store.claim(limit: 10, reach: .seconds(30)).count == 0)
            #expect(try await store.claim(limit: 10).tasks.map(\.businessKey) == ["late"])
        }
    }

    @Test("what is gone, and kept only for somebody's snapshot, is passed by a look from the beginning alone")
    func snapshot() async throws {
        try await TestDatabase.with { database in
            // As a snapshot does, and needs no connection.
            let gid = "old \(UUID())"
            try await database.pool.transaction(ending: .prepare(gid: gid)) { $0.add("INSERT INTO balance VALUES (1)") }
            try await database.insertTasks((0..<5_000).map { "old-\($0)" }, dueAfter: .seconds(-60), route: route)
            _ = try await database.pool.query("DELETE FROM task")
            let (whole, recent) = (try await pages(nil, database), try await pages(30_000_000, database))
            _ = try await database.pool.query("ROLLBACK PREPARED '\(gid)'")
            #expect(recent < whole / 4, "\(recent) pages and \(whole)")
        }
    }

    /// How many pages a claim reads, some of them more than once, when nothing is due.
    private func pages(_ reach: Int?, _ database: TestDatabase) async throws -> Int {
        let claim = TaskStatements(schema: .public, purgeBatch: 500).claim(limit: 500)
        return try await database.pool.transaction { transaction in
            transaction.add("SET LOCAL enable_seqscan = off")
            transaction.add("SET LOCAL plan_cache_mode = force_generic_plan")
            transaction.add("PREPARE claim AS \(claim)")
            let plan = try transaction.query(
                """
                EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
                EXECUTE claim(1, 25, '{}', '{}', '{}', '{}', \(reach.map(String.init) ?? "NULL"))
                """)
            transaction.add("DEALLOCATE claim")
            struct Explained: Decodable {
                struct Node: Decodable {
                    let hit: Int
                    enum CodingKeys: String, CodingKey { case hit = "Shared Hit Blocks" }
                }
                let plan: Node
                enum CodingKeys: String, CodingKey { case plan = "Plan" }
            }
            let text = try plan[0].decode(String.self, at: 0)
            return try JSONDecoder().decode([Explained].self, from: Data(text.utf8))[0].plan.hit
        }
    }
}
