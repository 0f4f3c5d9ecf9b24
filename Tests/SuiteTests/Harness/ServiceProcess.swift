import Foundation
import SettleTestSupport

/// A running executable of ours, known by its process id.
final class ServiceProcess: Sendable {
    let name: String
    let port: Int
    let log: URL
    private let child: Child
    private let executable: URL
    /// What it was started with.
    let environment: [String: String]
    private let plainName: String

    init(name: String, executable: URL, port: Int, environment: [String: String], log: URL) throws {
        self.executable = executable
        self.environment = environment
        plainName = name
        // A fault is part of what a process is called in messages.
        self.name = environment["SETTLE_FAULTS"].map { "\(name) (\($0))" } ?? name
        self.port = port
        self.log = log
        child = try Child(executable.path, environment: environment, output: log, errors: log)
        try Watchdog.shared.get().started(child.pid)
    }

    /// The same once more, after it has ended.
    func again() throws -> ServiceProcess {
        try ServiceProcess(name: plainName, executable: executable, port: port, environment: environment, log: log)
    }

    var pid: pid_t { child.pid }
    var exit: Child.Exit? { child.exit }
    var isRunning: Bool { exit == nil }

    func signal(_ signal: Int32) { child.signal(signal) }

    @discardableResult
    func awaitExit(within limit: Duration = .seconds(10)) async throws -> Child.Exit {
        try await eventually("\(name) exits", within: limit, every: .milliseconds(5)) { !self.isRunning }
        try Watchdog.shared.get().ended(pid)
        guard let exit else { throw NotInTime("\(name) has no exit status") }
        return exit
    }

    /// SIGKILL: as a crash would.
    func crash() async throws {
        signal(SIGKILL)
        try await awaitExit()
    }

    /// The resident memory, in bytes.
    var residentBytes: Int {
        get throws {
            let fields = try String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8).split(separator: " ")
            return (Int(fields[1]) ?? 0) * Int(getpagesize())
        }
    }

    /// How many descriptors it has open.
    var descriptors: Int {
        get throws { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count }
    }

    /// Processor time so far, user and system together.
    var processorTime: Duration {
        get throws {
            let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            // The name in parentheses may hold spaces; utime and stime are the 14th and 15th field (proc(5)).
            let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
            let ticks = (Int(fields[12]) ?? 0) + (Int(fields[13]) ?? 0)
            return .milliseconds(ticks * 1000 / sysconf(Int32(_SC_CLK_TCK)))
        }
    }

    /// The last lines of its log, the last that tell of trouble, and where it crashed if it did.
    var logTail: String {
        // A log that cannot be read must not hide the failure that asks for it.
        let lines = ((try? String(contentsOf: log, encoding: .utf8)) ?? "(no log)").split(separator: "\n")
        let trouble = lines.dropLast(20).filter { $0.contains(" error ") || $0.contains(" warning ") }
        let crash = lines.firstIndex { $0.contains("Fatal error") || $0.contains("crashed") }.map {
            lines[$0...].prefix(40)
        }
        let shown = trouble.suffix(10) + lines.suffix(20) + (crash.map { ["crash:"] + $0 } ?? [])
        return """
            --- \(name), pid \(pid), \(exit.map { "\($0)" } ?? "running"): \(lines.count) lines in \(log.path)
            \(shown.map { String($0.prefix(400)) }.joined(separator: "\n"))
            """
    }
}
