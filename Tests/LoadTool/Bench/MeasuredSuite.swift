import ArgumentParser
import Foundation
import SettleTestSupport

/// The private suite that is measured, and where the figures go.
struct MeasuredSuite: ParsableArguments {
    @OptionGroup var ports: ServicePorts
    @Option(help: "NAME=PID, for the services, postgres, rabbitmq and redis.") var process: [String] = []
    @Option(help: "Where all figures go as JSON.") var json: String?
    @Option(help: "What was built, for the table's head.") var build = "release"

    func validate() throws {
        guard process.allSatisfy({ Self.parsed($0) != nil }) else { throw ValidationError("a process is NAME=PID") }
    }

    var processes: Processes {
        Processes(Dictionary(grouping: process.compactMap(Self.parsed), by: \.0).mapValues { $0.map(\.1) })
    }

    private static func parsed(_ text: String) -> (String, Int)? {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let id = Int(parts[1]) else { return nil }
        return (String(parts[0]), id)
    }

    /// Durable commits, or nothing: what is faster without them is no order of ours.
    func machine(_ databases: BenchDatabases) async throws -> BenchReport.Machine {
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

    func write(_ report: some Encodable) throws {
        guard let json else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(report).write(to: URL(filePath: json))
    }

    /// What is being done, for who waits.
    static func say(_ text: String) { FileHandle.standardError.write(Data("bench: \(text)\n".utf8)) }
}
