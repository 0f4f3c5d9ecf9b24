import ArgumentParser
import Foundation
import SettleTestSupport

/// How fast a private suite settles orders, what an order costs, and how that compares with what its parts do alone.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a private suite: one table, beside what PostgreSQL and RabbitMQ do alone.",
        discussion: """
            scripts/bench starts the suite and calls this. It fills and reads the databases that ORDER_, STOCK_ and \
            POINTS_DATABASE_URL name, and needs POSTGRES_URL (superuser) and AMQP_URL (administrator). The exit code is 1 \
            when the books of a run did not agree; such a run has no figures. docs/performance.md says how to read the table.
            """)

    @OptionGroup var suite: MeasuredSuite
    @Option(help: "PostgreSQL's log: the floor's statements are taken out of it.") var postgresLog: String
    @Flag(help: "Fewer and shorter runs: under three minutes.") var quick = false
    @Option(help: "The modes, separated by commas; all but centre where it is quick, all otherwise.") var modes: String?
    @Option(help: "How many clients a closed loop has.") var clients = 32
    @Option(help: "How many orders a second an open loop begins.") var rate = 500
    @Option(help: "How long each run is measured, in seconds.") var seconds: Int?
    @Option(help: "The folder for latency.svg, processor.svg and floor.sql, the script of pgbench.") var pictures:
        String?

    func validate() throws {
        let unknown = chosenModes.filter { !Scenario.modes.contains($0) }
        guard unknown.isEmpty, !chosenModes.isEmpty else {
            throw ValidationError("modes are \(Scenario.modes.joined(separator: ", "))")
        }
        guard (1...256).contains(clients), (1...100_000).contains(rate), (1...600).contains(seconds ?? 1) else {
            throw ValidationError("1 to 256 clients, a rate of 1 to 100000 a second, 1 to 600 seconds")
        }
    }

    func run() async throws {
        let databases = try BenchDatabases()
        let report = try await serving(databases.all) { try await measure(databases) }
        print(report.text)
        try write(report)
        if report.rows.contains(where: { $0.figures == nil }) { throw ExitCode.failure }
    }

    private var chosenModes: [String] {
        modes?.split(separator: ",").map(String.init) ?? (quick ? Array(Scenario.quickModes) : Scenario.modes)
    }

    private func measure(_ databases: BenchDatabases) async throws -> BenchReport {
        let processes = suite.processes
        var report = BenchReport(machine: try await suite.machine(databases))
        try await databases.seed()
        let measured = seconds ?? (quick ? 4 : 12)
        let floor = OrderFloor(
            databases: databases, orderPort: suite.ports.order, processes: processes, log: postgresLog)
        MeasuredSuite.say("floor")
        let script = try await floor.script()
        try write(script.text, to: "floor.sql")
        // Between the runs, as the machine need not be as fast all the time.
        let brief = quick ? 2 : 4
        var before = try await floor.measure(script, for: brief)
        report.floor = BenchReport.Floor(
            ordersPerSecond: [before],
            broker: try await BrokerFloor.measure(Self.brokerURL(), for: .seconds(min(measured, 4))))
        let run = BenchRun(
            databases: databases, orderPorts: [suite.ports.order], processes: processes,
            warmUp: .milliseconds(min(3_000, measured * 400)), duration: .seconds(measured))
        for scenario in Scenario.plan(modes: chosenModes, clients: clients, perSecond: rate, isQuick: quick) {
            MeasuredSuite.say(scenario.name)
            var row = try await run(scenario)
            let after = try await floor.measure(script, for: brief)
            row.floor = (before + after) / 2
            report.floor?.ordersPerSecond.append(after)
            report.rows.append(row)
            before = after
        }
        MeasuredSuite.say("idle")
        report.idle = try await IdleCost.measure(databases, processes, for: .seconds(quick ? 10 : 20))
        return report
    }

    private static func brokerURL() throws -> String {
        guard let url = ProcessInfo.processInfo.environment["AMQP_URL"] else {
            throw BenchDatabases.Missing(description: "AMQP_URL is not set")
        }
        return url
    }

    private func write(_ report: BenchReport) throws {
        try suite.write(report)
        try write(report.latencyPicture, to: "latency.svg")
        try write(report.processorPicture, to: "processor.svg")
    }

    /// Into the folder of the pictures, if one is wanted.
    private func write(_ text: String, to name: String) throws {
        guard let pictures else { return }
        let folder = URL(filePath: pictures)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
    }
}
