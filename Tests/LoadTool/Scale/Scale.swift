import ArgumentParser
import Foundation
import SettleTestSupport

/// What an order costs when there is more of everything: rows, clients, backlog, replicas, and time that somebody else keeps
/// a snapshot open.
struct Scale: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a private suite at growing sizes: one table for each thing that grows.",
        discussion: """
            scripts/bench --scale starts the suite and calls this; needs what bench needs. It empties the tables of the suite \
            again and again. The exit code is 1 when the books of a run did not agree; such a run has no figures.
            """)

    @OptionGroup var suite: MeasuredSuite
    @Option(help: "What grows, separated by commas: \(ScalePart.allCases.map(\.rawValue).joined(separator: ", ")).")
    var parts = ScalePart.allCases.map(\.rawValue).joined(separator: ",")
    @Option(help: "The modes of the runs, separated by commas.") var modes = "message,tcc"
    @Option(help: "How many rows the tables hold, separated by commas.") var rows = "100,10000,1000000"
    @Flag(help: "10,000,000 rows, too: half an hour and 30 GB of disk.") var huge = false
    @Option(help: "How many clients there are, separated by commas.") var clients = "1,4,16,64,256"
    @Option(help: "How many tasks wait, separated by commas.") var backlogs = "10000,100000"
    @Option(help: "How many processes of each service there are at most.") var replicas = 3
    @Option(help: "How long each run is measured, in seconds.") var seconds = 10
    @Option(help: "How long the runs beside a snapshot take, in seconds.") var snapshotSeconds = 120
    @Option(help: "How many orders a second begin in those of fixed rate.") var rate = 800
    @Option(help: "The scripts/servers of the private servers, and their folder.") var servers: [String] = []
    @Option(help: "The folder where further processes log.") var logs = "."

    func validate() throws {
        let known = Set(ScalePart.allCases.map(\.rawValue))
        guard Set(Self.list(parts)).isSubset(of: known) else {
            throw ValidationError("parts are \(known.sorted().joined(separator: ", "))")
        }
        guard Set(Self.list(modes)).isSubset(of: Scenario.modes) else {
            throw ValidationError("modes are \(Scenario.modes.joined(separator: ", "))")
        }
        for numbers in [rows, clients, backlogs] {
            guard Self.numbers(numbers) != nil else {
                throw ValidationError("\(numbers) is no list of numbers above 0")
            }
        }
        guard (1...8).contains(replicas), (1...600).contains(seconds), (8...3_600).contains(snapshotSeconds),
            (1...100_000).contains(rate), servers.isEmpty || servers.count == 2
        else {
            throw ValidationError(
                "1 to 8 replicas, 1 to 600 seconds, 8 to 3600 with a snapshot, a rate of 1 to 100000 a second")
        }
    }

    func run() async throws {
        let databases = try BenchDatabases(statementTimeout: .seconds(3_600))
        let report = try await serving(databases.all) { try await measure(databases) }
        print(report.text)
        try suite.write(report)
        if report.runs.contains(where: { $0.row.figures == nil }) { throw ExitCode.failure }
    }

    private func measure(_ databases: BenchDatabases) async throws -> ScaleReport {
        var report = ScaleReport(machine: try await suite.machine(databases))
        try await databases.seed()
        let started = ServiceProcesses(logs: logs)
        var setting = ScaleSetting(
            databases, suite, modes: Self.list(modes), duration: .seconds(seconds), started: started)
        do {
            for part in Self.list(parts).compactMap(ScalePart.init) {
                report.runs += try await runs(of: part, &setting)
                if part == .idle {
                    report.idle = try await IdleCost.measure(databases, setting.processes, for: .seconds(20))
                }
                // What is found is kept, should a later part fail.
                try suite.write(report)
            }
            try await started.stopAll()
        } catch {
            started.killAll()
            throw error
        }
        return report
    }

    private func runs(of part: ScalePart, _ setting: inout ScaleSetting) async throws -> [ScaleReport.Run] {
        switch part {
        case .rows: try await RowsPart(counts: (Self.numbers(rows) ?? []) + (huge ? [10_000_000] : [])).run(setting)
        case .clients: try await ClientsPart(counts: Self.numbers(clients) ?? []).run(setting)
        case .backlog:
            try await BacklogPart(
                counts: Self.numbers(backlogs) ?? [],
                servers: servers.count == 2 ? PrivateServers(script: servers[0], folder: servers[1]) : nil
            ).run(&setting)
        case .replicas: try await ReplicasPart(most: replicas).run(setting)
        case .snapshot:
            try await SnapshotPart(duration: .seconds(snapshotSeconds), perSecond: rate).run(setting)
        case .idle: []
        }
    }

    private static func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

    /// Nil when one of them is none.
    static func numbers(_ text: String) -> [Int]? {
        let numbers = list(text).compactMap { Int($0) }.filter { $0 > 0 }
        return numbers.count == list(text).count ? numbers : nil
    }
}
