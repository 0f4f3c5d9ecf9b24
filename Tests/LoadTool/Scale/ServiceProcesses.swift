import Foundation
import SettleTestSupport

/// The services that this program has started itself, beside those of the suite or in their place.
final class ServiceProcesses {
    private let logs: URL
    private var running: [Child] = []

    /// - Parameter logs: the folder for theirs.
    init(logs: String) { self.logs = URL(filePath: logs) }

    /// Starts one like `image`, and returns its process id when it is ready.
    func start(_ name: String, _ image: ServiceImage, _ changes: [String: String] = [:], port: Int) async throws -> Int
    {
        let child = try await image.start(changes, port: port, log: logs.appending(path: "\(name)-\(port).log"))
        running.append(child)
        return Int(child.pid)
    }

    /// Ends these as an operator would, the last one first, and waits until they are gone.
    func stop(_ ids: [Int]) async throws {
        for id in ids.reversed() { try await end(id) }
    }

    /// Ends a service, whoever has started it, and waits until it is gone.
    func end(_ id: Int) async throws {
        kill(pid_t(id), SIGTERM)
        try await eventually("process \(id) has ended", within: .seconds(30)) {
            let stat = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)  // gone
            // One that its parent has not looked after yet is gone, too.
            return stat.map { $0.contains(") Z ") } ?? true
        }
        running.removeAll { $0.pid == pid_t(id) }
    }

    /// All that still run.
    func stopAll() async throws { try await stop(running.map { Int($0.pid) }) }

    /// At once, when something has gone wrong.
    func killAll() { for child in running { child.signal(SIGKILL) } }
}
