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

    @OptionGroup var ports: ServicePorts
    @Option(help: "NAME=PID, for order, stock, user-points, postgres, rabbitmq and redis.") var process: [String] = []
    @Option(help: "PostgreSQL's log: the floor's statements are taken out of it.") var postgresLog: String
    @Flag(help: "Fewer and shorter runs: under three minutes.") var quick = false
    @Option(help: "The modes, separated by commas.") var modes = Scenario.modes.joined(separator: ",")
    @Option(help: "How many clients a closed loop has.") var clients = 32
    @Option(help: "How many orders a second an open loop begins.") var rate = 500
    @Option(help: "How long each run is measured, in seconds.") var seconds: Int?
    @Option(help: "Where all figures go as JSON.") var json: String?
    @Option(help: "The folder for latency.svg, processor.svg and floor.sql, the script of pgbench.") var pictures:
        String?
    @Option(help: "What was built, for the table's head.") var build = "release"

    func validate() throws {
        let unknown = chosenModes.filter { !Scenario.modes.contains($0) }
        guard unknown.isEmpty, !chosenModes.isEmpty else {
            throw ValidationError("modes are \(Scenario.modes.joined(separator: ", "))")
        }
        guard (1...256).contains(clients), (1...100_000).contains(rate), (1...600).contains(seconds ?? 1) else {
            throw ValidationError("1 to 256 clients, a rate of 1 to 100000 a second, 1 to 600 seconds")
        }
        guard process.allSatisfy({ Self.parsed($0) != nil }) else { throw ValidationError("a process is NAME=PID") }
    }

    func run() async throws {
        let databases = try BenchDatabases()
        let report = try await serving(databases.all) { try await measure(databases) }
        print(report.text)
        try write(report)
        if report.rows.contains(where: { $0.figures == nil }) { throw ExitCode.failure }
    }

    private var chosenModes: [String] { modes.split(separator: ",").map(String.init) }

    private static func parsed(_ text: String) -> (String, Int)? {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let id = Int(parts[1]) else { return nil }
        return (String(parts[0]), id)
    }

    private func measure(_ databases: BenchDatabases) async throws -> BenchReport {
        let processes = Processes(Dictionary(process.compactMap(Self.parsed), uniquingKeysWith: { $1 }))
        var report = BenchReport(machine: try await machine(databases))
        try await databases.seed()
        let measured = seconds ?? (quick ? 4 : 12)
        let floor = OrderFloor(
            databases: databases, orderPort: ports.order, processes: processes, log: postgresLog)
        Self.say("floor")
        let script = try await floor.script()
        try write(script.text, to: "floor.sql")
        try await databases.checkpoint()
        report.floor = BenchReport.Floor(
            ordersPerSecond: [try await floor.measure(script, for: measured)],
            broker: try await BrokerFloor.measure(Self.brokerURL(), for: .seconds(min(measured, 4))))
        let run = BenchRun(
            databases: databases, orderPort: ports.order, processes: processes,
            warmUp: .milliseconds(min(3_000, measured * 400)), duration: .seconds(measured))
        for scenario in Scenario.plan(modes: chosenModes, clients: clients, perSecond: rate, isQuick: quick) {
            Self.say(scenario.name)
            report.rows.append(try await run(scenario))
        }
        Self.say("floor")
        try await databases.checkpoint()
        report.floor?.ordersPerSecond.append(try await floor.measure(script, for: measured))
        return report
    }

    private static func brokerURL() throws -> String {
        guard let url = ProcessInfo.processInfo.environment["AMQP_URL"] else {
            throw BenchDatabases.Missing(description: "AMQP_URL is not set")
        }
        return url
    }

    /// Durable commits, or nothing: what is faster without them is no order of ours.
    private func machine(_ databases: BenchDatabases) async throws -> BenchReport.Machine {
        var settings: [String: String] = [:]
        for name in ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers"] {
            settings[name] = try await databases.setting(name)
        }
        guard settings["fsync"] == "on", settings["synchronous_commit"] == "on" else {
            throw BenchDatabases.Missing(description: "PostgreSQL's commits do not reach the disk: \(settings)")
        }
        // Where there is no such file the name of the processor is not known.
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = text.split(separator: "\n").first { $0.hasPrefix("model name") }?.split(separator: ":").last
        return BenchReport.Machine(
            processor: model.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor",
            cores: ProcessInfo.processInfo.activeProcessorCount,
            memoryBytes: Int(ProcessInfo.processInfo.physicalMemory),
            postgres: try await databases.setting("server_version"), settings: settings, build: build)
    }

    private static func say(_ text: String) { FileHandle.standardError.write(Data("bench: \(text)\n".utf8)) }

    private func write(_ report: BenchReport) throws {
        if let json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try encoder.encode(report).write(to: URL(filePath: json))
        }
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
