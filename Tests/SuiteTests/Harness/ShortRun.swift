import Foundation
import SettleTestSupport
import Testing

/// A service that is expected to end by itself, for its settings are wrong.
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
        let testbed = try #require(Testbed.current)
        let folder = FileManager.default.temporaryDirectory.appending(path: "settle-wrong-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
        let errors = folder.appending(path: "errors")
        let child = try Child(
            testbed.bin.appending(path: role.rawValue).path, arguments,
            environment: ["HTTP_PORT": "\(try Ports.take())"].merging(environment) { $1 },
            output: folder.appending(path: "output"), errors: errors)
        defer { child.signal(SIGKILL) }
        let deadline = ContinuousClock.now + .seconds(10)
        while child.exit == nil, .now < deadline { try await Task.sleep(for: .milliseconds(10)) }
        return (child.exit, try String(contentsOf: errors, encoding: .utf8))
    }
}
