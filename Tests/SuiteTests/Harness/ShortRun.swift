import Foundation
import SettleTestSupport
import Testing

/// A program that is expected to end by itself: a service whose settings are wrong, a command.
enum ShortRun {
    /// All that is required.
    static let right = [
        "DATABASE_URL": "postgresql://shop:shop@127.0.0.1:1/shop", "AMQP_URL": "amqp://127.0.0.1:1",
        "REDIS_URL": "redis://127.0.0.1:1", "SETTLE_TOKEN": "token-0123456789",
    ]

    /// How it ended, nil when it runs on, and what it wrote to standard error.
    static func of(
        _ role: Role, _ environment: [String: String], arguments: [String] = []
    ) async throws -> (Child.Exit?, String) {
        let ended = try await of(
            role.rawValue, arguments, ["HTTP_PORT": "\(try Ports.take())"].merging(environment) { $1 },
            within: .seconds(10))
        return (ended.exit, ended.errors)
    }

    /// The same of any executable of the package, with what it wrote to both.
    static func of(
        _ executable: String, _ arguments: [String], _ environment: [String: String], within limit: Duration
    ) async throws -> (exit: Child.Exit?, output: String, errors: String) {
        let testbed = try #require(Testbed.current)
        let folder = FileManager.default.temporaryDirectory.appending(path: "settle-short-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
        let (output, errors) = (folder.appending(path: "output"), folder.appending(path: "errors"))
        let child = try Child(
            testbed.bin.appending(path: executable).path, arguments, environment: environment, output: output,
            errors: errors)
        defer { child.signal(SIGKILL) }
        let deadline = ContinuousClock.now + limit
        while child.exit == nil, .now < deadline { try await Task.sleep(for: .milliseconds(10)) }
        return (
            child.exit, try String(contentsOf: output, encoding: .utf8), try String(contentsOf: errors, encoding: .utf8)
        )
    }
}
