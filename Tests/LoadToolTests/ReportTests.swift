import Foundation
import Testing

@testable import SettleLoadTool

@Suite("The benchmark's report")
struct ReportTests {
    private static func figures(settled: Double = 1_000, errors: Int = 0) -> Figures {
        Figures(
            placedPerSecond: 1_200, settledPerSecond: settled, errors: errors,
            errorSummary: errors > 0 ? "\(errors) × 503" : "", request: [1, 2, 3, 4, 5, 6, 7, 80],
            archive: [9, 10, 11],
            microseconds: ["order": 300, "stock": 100, "postgres": 400, "load": 50], commits: 1.5, walBytes: 4_096,
            peaks: ["order": 50_000_000], othersShare: 0.02)
    }

    private static func report(_ rows: [BenchReport.Row]) -> BenchReport {
        BenchReport(
            machine: .init(
                processor: "A processor", cores: 2, memoryBytes: 8_000_000_000, postgres: "15.1",
                settings: ["fsync": "on"], build: "release"),
            floor: .init(
                ordersPerSecond: [9_000, 11_000],
                broker: BrokerFloor(confirmsPerSecond: 20_000, deliveriesPerSecond: 40_000)), rows: rows)
    }

    private static let closed = Scenario(mode: "tcc", pace: .closed(clients: 32))
    private static let open = Scenario(mode: "at", pace: .open(perSecond: 500))

    @Test("the table has a row for each run, and what it settled against the floor")
    func table() throws {
        let text = Self.report([.init(scenario: Self.closed, figures: Self.figures(errors: 3), floor: 10_000)]).text
        let row = try #require(text.split(separator: "\n").first { $0.hasPrefix("tcc ") })
        let cells = row.split(separator: " ").map(String.init)
        #expect(
            cells == [
                "tcc", "1200", "1000", "3", "1.00", "5.00", "7.00", "9.00", "10.0", "300", "100", "-", "-", "400", "-",
                "-", "50.0", "1.50", "4.10", "50.0", "-", "-", "-", "0.10", "2.00",
            ])
        #expect(text.contains("tcc: 3 errors: 3 × 503"))
    }

    @Test("a table is as wide as its cells, and each group's name stands over its columns")
    func groups() {
        var table = TextTable([("", [""]), ("ms", ["p50", "p99"]), ("a longer name", ["x"])])
        table.add(["run", "1", "1000"])
        table.add(["another run", "22", "3", "4"])
        #expect(
            table.text == """
                             ms ------  a longer name
                             p50   p99              x
                run            1  1000
                another run   22     3              4

                """)
    }

    @Test("books that do not agree give no figure, and say why")
    func disagreement() throws {
        let text = Self.report([.init(scenario: Self.closed, figures: nil, disagreements: ["a point too many"])]).text
        let row = try #require(text.split(separator: "\n").first { $0.hasPrefix("tcc ") })
        #expect(row.split(separator: " ") == ["tcc", "no", "figure"])
        #expect(text.contains("a point too many"))
    }

    @Test("what the suite costs idle stands below the table")
    func idle() {
        var report = Self.report([.init(scenario: Self.closed, figures: Self.figures())])
        report.idle = IdleCost(seconds: 20, shares: ["order": 0.005, "postgres": 0.01])
        #expect(report.text.contains("idle, % of one core over 20.0 s: order 0.50, postgres 1.00; together 1.50"))
    }

    @Test("a machine that had other things to do is told apart")
    func noise() {
        var figures = Self.report([.init(scenario: Self.closed, figures: Self.figures())])
        #expect(!figures.text.contains("NOT A QUIET MACHINE"))
        let busy = Figures(
            placedPerSecond: 1, settledPerSecond: 1, errors: 0, errorSummary: "", request: [], archive: [],
            microseconds: [:], commits: 0, walBytes: 0, peaks: [:], othersShare: 0.3)
        figures.rows.append(.init(scenario: Self.open, figures: busy))
        #expect(figures.text.contains("NOT A QUIET MACHINE"))
    }

    @Test("pictures are SVG with a line or a bar for each run that has figures")
    func pictures() throws {
        let report = Self.report([
            .init(scenario: Self.closed, figures: Self.figures()), .init(scenario: Self.open, figures: Self.figures()),
            .init(scenario: Self.open, figures: nil),
        ])
        for svg in [report.latencyPicture, report.processorPicture] {
            let parser = XMLCheck(svg)
            #expect(parser.isWellFormed)
        }
        #expect(report.latencyPicture.contains(">at, 500/s<") && !report.latencyPicture.contains(">tcc<"))
        // From 1 to 80 ms: the axis goes from the foot, 1 ms, to the top, 100 ms.
        #expect(report.latencyPicture.contains(#"points="70,370 560,370""#))
        #expect(report.latencyPicture.contains(#"points="70,50 560,50""#))
        #expect(report.processorPicture.contains(">tcc<") && report.processorPicture.contains(">850 µs<"))
        #expect(XMLCheck(Self.report([]).latencyPicture).isWellFormed)
        #expect(XMLCheck(Self.report([]).processorPicture).isWellFormed)
    }

    @Test("figures come back out of the JSON as they went in")
    func json() throws {
        let report = Self.report([.init(scenario: Self.open, figures: Self.figures())])
        let again = try JSONDecoder().decode(BenchReport.self, from: JSONEncoder().encode(report))
        #expect(again.text == report.text)
    }

    @Test(
        "numbers have three digits that count",
        arguments: [
            (1234.6, "1235"), (99.96, "100.0"), (12.34, "12.3"), (1.005, "1.00"), (0, "0.00"), (-0.25, "-0.25"),
        ])
    func short(number: Double, text: String) { #expect(number.short == text) }
}

/// Whether tags are closed in order, which is all that these pictures could get wrong.
private struct XMLCheck {
    let isWellFormed: Bool

    init(_ text: String) {
        var open: [Substring] = []
        var isFine = text.hasPrefix("<svg ")
        for tag in text.matches(of: #/<(\/?)(\w+)[^<>]*?(\/?)>/#) where tag.3.isEmpty {
            if tag.1.isEmpty { open.append(tag.2) } else if open.popLast() != tag.2 { isFine = false }
        }
        isWellFormed = isFine && open.isEmpty
    }
}
