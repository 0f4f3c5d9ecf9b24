import Testing

@testable import SettleLoadTool

@Suite("Time by statement")
struct StatementTimesTests {
    private static let claim =
        #"WITH picked AS ( SELECT id FROM "public".task AS task … FOR UPDATE SKIP LOCKED) UPDATE …"#
    private static let archive = #"WITH held AS (…) INSERT INTO "public".task_his AS task_his (id) SELECT …"#

    private static func times(_ entries: [(text: String, calls: Int, milliseconds: Double, rows: Int)])
        -> StatementTimes
    {
        StatementTimes(
            entries: Dictionary(
                entries.enumerated().map { number, entry in
                    (
                        StatementTimes.Key(database: "shop_order", id: Int64(number)),
                        StatementTimes.Entry(
                            text: entry.text, calls: entry.calls, milliseconds: entry.milliseconds, rows: entry.rows)
                    )
                }, uniquingKeysWith: { $1 }))
    }

    @Test("a claim is counted by its runs, an archive by its tasks, and what came before is left out")
    func means() throws {
        let before = Self.times([(Self.claim, 10, 5, 0), (Self.archive, 10, 100, 1_000)])
        let after = Self.times([(Self.claim, 20, 25, 0), (Self.archive, 20, 140, 3_000), ("SELECT 1", 1, 6, 1)])
        let between = after.since(before)
        #expect(try #require(between.claim) == 2)
        #expect(try #require(between.archive) == 0.02)
        #expect(between.total == 66)
    }

    @Test("where no statement is counted there are no times")
    func none() {
        let slices = Slices(seconds: 1, settled: [(5, 1), (4, 1)], dead: [1, 2], times: [.init(), .init(), .init()])
        #expect(slices.slices.allSatisfy { $0.claim == nil && $0.archive == nil && $0.statements == nil })
        #expect(slices.kept == 0.8)
    }

    @Test("what grew is by order, the worst first, and only what matters")
    func growth() {
        let first = Self.times([("a\n  b", 1, 10, 1), ("c", 1, 10, 1), ("d", 1, 10, 1)])
        let last = Self.times([("a\n  b", 1, 40, 1), ("c", 1, 20.1, 1), ("d", 1, 100, 1), ("e", 1, 1, 1)])
        let growth = last.growth(since: first, orders: (100, 200), atMost: 5)
        #expect(growth.map(\.statement) == ["d", "a b"])
        #expect(growth[0].first == 0.1 && growth[0].last == 0.5)
    }

    @Test("slices take the difference from mark to mark")
    func slices() {
        let marks = [5.0, 10, 40].map { Self.times([(Self.claim, Int($0), $0 * $0, 0)]) }
        let slices = Slices(seconds: 2, settled: [(10, 3), (10, 4)], dead: [7, 8], times: marks)
        #expect(slices.slices.map(\.claim) == [15, 50])
        #expect(slices.slices.map(\.deadTasks) == [7, 8] && slices.slices.map(\.statements) == [7.5, 150])
    }
}
