package import Foundation
import Synchronization

/// A server of a test's own, from a program of this machine, in a folder of its own: a test may stop, kill and freeze it.
package final class PrivateServer: Sendable {
    package let folder: URL
    private let environment: [String: String]
    private let account: String?
    private let child = Mutex<Child?>(nil)

    /// Makes the folder; starts nothing.
    ///
    /// - Parameters:
    ///   - folder: where its files are to be; a temporary one of its own without it.
    ///   - account: whose the folder and the processes are when root runs the tests, for a server that refuses to run as
    ///     root.
    package init(
        folder: URL = FileManager.default.temporaryDirectory.appending(path: "settle-\(UUID().uuidString.prefix(8))"),
        environment: [String: String] = ProcessInfo.processInfo.environment, account: String? = nil
    ) throws {
        self.folder = folder
        self.environment = environment
        self.account = geteuid() == 0 ? account : nil
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        if let account = self.account {
            try FileManager.default.setAttributes([.ownerAccountName: account], ofItemAtPath: folder.path)
        }
    }

    package func path(_ name: String) -> String { folder.appending(path: name).path }

    package func write(_ text: String, to name: String) throws {
        try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
    }

    package var pid: pid_t? { child.withLock { $0?.pid } }

    /// Runs a program to its end; throws what it said when it fails.
    package func run(_ command: [String], within limit: Duration = .seconds(90)) async throws {
        try await Command.run("/usr/bin/env", owned(command), environment: environment, within: limit)
    }

    /// Starts the server, and returns when `isReady`.
    package func start(
        _ command: [String], within limit: Duration = .seconds(60), until isReady: () async throws -> Bool
    ) async throws {
        let log = folder.appending(path: "server.log")
        let started = try Child("/usr/bin/env", owned(command), environment: environment, output: log, errors: log)
        child.withLock { $0 = started }
        try await eventually("\(command[0]) is ready", within: limit, every: .milliseconds(20)) {
            guard started.exit == nil else {
                throw NotInTime("\(command[0]) ended: \(started.exit.map { "\($0)" } ?? "")")
            }
            return try await isReady()
        }
    }

    /// Ends it by this signal, and returns when it is gone.
    package func stop(_ signal: Int32) async throws {
        guard let child = child.withLock({ $0.take() }) else { return }
        child.signal(signal)
        try await eventually("the server is gone") { child.exit != nil }
    }

    /// Removes its files, too.
    package func remove(_ signal: Int32 = SIGKILL) async throws {
        try await stop(signal)
        try FileManager.default.removeItem(at: folder)
    }

    private func owned(_ command: [String]) -> [String] {
        guard let account else { return command }
        return ["setpriv", "--reuid=\(account)", "--regid=\(account)", "--clear-groups"] + command
    }
}
