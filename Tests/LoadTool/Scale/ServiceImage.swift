import Foundation
import SettleTestSupport

/// How a running service was started: enough to start another like it.
struct ServiceImage: Sendable {
    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    let executable: String
    let environment: [String: String]
    /// What runs it with the rights that the service has, no more.
    private let prefix: [String]

    /// - Parameter id: of the process; it must be ours, or we root.
    init(of id: Int) throws {
        guard let environment = FileManager.default.contents(atPath: "/proc/\(id)/environ"),
            let status = try? String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)  // the same complaint below
        else { throw Unreadable(description: "process \(id) cannot be read") }
        executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(id)/exe")
        self.environment = Self.environment(environment)
        prefix = Self.prefix(status, isRoot: geteuid() == 0)
    }

    /// `NAME=value`, each ended by a zero byte.
    static func environment(_ bytes: Data) -> [String: String] {
        let pairs = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return Dictionary(
            pairs.compactMap { pair -> (String, String)? in
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
            }, uniquingKeysWith: { first, _ in first })
    }

    /// Root gives up what the service, whose `/proc/PID/status` this is, has given up.
    static func prefix(_ status: String, isRoot: Bool) -> [String] {
        guard isRoot else { return [] }
        func id(_ name: String) -> String {
            let line = status.split(separator: "\n").first { $0.hasPrefix("\(name):") } ?? ""
            return line.split(whereSeparator: \.isWhitespace).dropFirst().first.map(String.init) ?? "0"
        }
        let (user, group) = (id("Uid"), id("Gid"))
        let account = user == "0" ? [] : ["--reuid=\(user)", "--regid=\(group)", "--clear-groups"]
        return ["setpriv"] + account + ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"]
    }

    /// Starts one, and returns when it is ready.
    ///
    /// - Parameters:
    ///   - changes: what is otherwise in its environment.
    ///   - port: where it listens then.
    ///   - log: the file that its log is appended to.
    func start(_ changes: [String: String] = [:], port: Int, log: URL) async throws -> Child {
        var environment = environment.merging(changes) { $1 }
        environment["HTTP_PORT"] = "\(port)"
        let child = try Child(
            "/usr/bin/env", prefix + [executable], environment: environment, output: log, errors: log)
        do {
            try await eventually("\(executable) is ready, see \(log.path)", within: .seconds(60)) {
                guard child.exit == nil else { throw Unreadable(description: "\(executable) ended, see \(log.path)") }
                guard case .success(let answer) = await HTTPConnection.send("GET", port, "/health/ready") else {
                    return false
                }
                return answer.status == 200
            }
        } catch {
            child.signal(SIGKILL)
            throw error
        }
        return child
    }
}
