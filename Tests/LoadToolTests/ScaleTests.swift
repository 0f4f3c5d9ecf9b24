import Foundation
import Testing

@testable import SettleLoadTool

@Suite("Scale")
struct ScaleTests {
    private static let report = BenchReport.Machine(
        processor: "A processor", cores: 2, memoryBytes: 8_000_000_000, postgres: "15.1", settings: [:],
        build: "release")

    private static func figures(errors: Int = 0) -> Figures {
        Figures(
            placedPerSecond: 1_200, settledPerSecond: 1_100, errors: errors, errorSummary: "1 × 503",
            request: [1, 2, 3, 4, 5, 6, 7, 80], archive: [9, 10, 11],
            microseconds: ["order": 300, "stock": 100, "user-points": 50, "postgres": 400, "load": 50], commits: 1.5,
            walBytes: 4_096, peaks: ["order": 50_000_000], othersShare: 0.02)
    }

    private static func run(
        _ part: ScalePart, _ what: String, figures: Figures? = figures(), slices: Slices? = nil
    ) -> ScaleReport.Run {
        let scenario = Scenario(mode: "tcc", pace: .closed(clients: 32))
        let row = BenchReport.Row(
            scenario: scenario, figures: figures, disagreements: figures == nil ? ["a point too many"] : [])
        return ScaleReport.Run(part: part, what: what, row: row, slices: slices)
    }

    private static func cells(_ text: String, _ first: String) throws -> [String] {
        try #require(text.split(separator: "\n").first { $0.hasPrefix(first) }).split(separator: " ").map(String.init)
    }

    @Test("each part has a table, with what an order costs in PostgreSQL, in the services and in all")
    func costs() throws {
        let report = ScaleReport(
            machine: Self.report, runs: [Self.run(.rows, "10000", figures: Self.figures(errors: 1))],
            idle: IdleCost(seconds: 20, shares: ["order": 0.01, "postgres": 0.004]))
        #expect(
            try Self.cells(report.text, "10000") == [
                "10000", "tcc", "1200", "1100", "1.00", "5.00", "9.00", "10.0", "400", "450", "850", "1.50", "4.10",
                "50.0", "-", "-", "-", "2.00",
            ])
        #expect(report.text.contains("rows 10000, tcc: 1 errors: 1 × 503"))
        #expect(report.text.contains("order 1.00, postgres 0.40; together 1.40"))
        #expect(!report.text.contains("clients:"))
    }

    @Test("books that do not agree give no figure, and say why")
    func disagreement() throws {
        let report = ScaleReport(machine: Self.report, runs: [Self.run(.backlog, "5", figures: nil)])
        #expect(try Self.cells(report.text, "5 ") == ["5", "tcc", "no", "figure"])
        #expect(report.text.contains("backlog 5, tcc: NO FIGURE") && report.text.contains("a point too many"))
    }

    @Test("a course shows its first and its last slice, and what grew between them")
    func course() throws {
        let slow = StatementTimes.Growth(database: "shop_order", statement: "SELECT slow", first: 0.01, last: 0.2)
        var slices = Slices(seconds: 10, settled: [], dead: [], times: [])
        slices.slices = [
            .init(settled: 1_000, p99: 5, deadTasks: 10, claim: 0.5, archive: 0.02, statements: 0.3),
            .init(settled: 800, p99: 50, deadTasks: 9_000, claim: 40, archive: 0.02, statements: 0.6),
        ]
        slices.growth = [slow]
        let report = ScaleReport(machine: Self.report, runs: [Self.run(.snapshot, "held", slices: slices)])
        #expect(
            try Self.cells(report.text, "held ") == [
                "held", "tcc,", "32", "clients", "100", "80.0", "0.80", "5.00", "50.0", "9000", "0.50", "40.0", "20.0",
                "20.0", "300", "600", "2.00",
            ])
        #expect(report.text.contains("10.0 → 200 µs an order in shop_order: SELECT slow"))
    }

    @Test("figures come back out of the JSON as they went in")
    func json() throws {
        let slices = Slices(
            seconds: 1, settled: [(5, 1), (6, nil)], dead: [1, 2], times: [.init(), .init(), .init()])
        let report = ScaleReport(machine: Self.report, runs: [Self.run(.snapshot, "none", slices: slices)])
        let again = try JSONDecoder().decode(ScaleReport.self, from: JSONEncoder().encode(report))
        #expect(again.text == report.text)
    }

    @Test(
        "a list of numbers is one, or none at all", arguments: [("1,20", [1, 20]), ("1,x", nil), ("0", nil), ("", [])])
    func numbers(text: String, numbers: [Int]?) { #expect(Scale.numbers(text) == numbers) }

    @Test("rows that are made have ids of version 7, in order, before those of orders from now on")
    func ids() {
        let text = TableFill.orders(0...9, of: 10, now: 1_700_000_000_000)
        #expect(text.contains("generate_series(0::bigint, 9)") && text.contains("1699928000000"))
    }
}

@Suite("A further process of a service")
struct ServiceImageTests {
    @Test("an environment is read as the kernel shows it")
    func environment() {
        let bytes = Data("A=1\0B=x=y\0EMPTY=\0odd\0".utf8)
        #expect(ServiceImage.environment(bytes) == ["A": "1", "B": "x=y", "EMPTY": ""])
    }

    @Test("it has the account of the first, and none of root's rights")
    func rights() {
        let status = "Name:\torder\nUid:\t65534\t65534\t65534\t65534\nGid:\t65533\t65533\t65533\t65533\n"
        #expect(ServiceImage.prefix(status, isRoot: false) == [])
        let prefix = ServiceImage.prefix(status, isRoot: true)
        #expect(
            prefix.prefix(3) == ["setpriv", "--reuid=65534", "--regid=65533"] && prefix.contains("--bounding-set=-all"))
        #expect(!ServiceImage.prefix("Uid:\t0\t0\t0\t0\n", isRoot: true).contains { $0.hasPrefix("--reuid") })
    }
}
