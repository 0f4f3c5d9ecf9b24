import Foundation
import SettleTestSupport

/// The private PostgreSQL, RabbitMQ and Redis, which all tests of this suite share: whoever stops one starts it again.
enum Servers {
    enum Name: String {
        case postgres, rabbitmq, redis
    }

    static func start(_ names: Name...) async throws { try await run("start", names) }
    static func stop(_ names: Name...) async throws { try await run("stop", names) }
    static func kill(_ names: Name...) async throws { try await run("kill", names) }
    static func restart(_ names: Name...) async throws { try await run("restart", names) }

    /// What `rabbitmqctl` says.
    @discardableResult
    static func rabbitmqctl(_ arguments: String...) async throws -> String {
        try await script(["ctl"] + arguments)
    }

    private static func run(_ action: String, _ names: [Name]) async throws {
        try await script([action] + names.map(\.rawValue))
    }

    @discardableResult
    private static func script(_ arguments: [String]) async throws -> String {
        guard let testbed = Testbed.current else { return "" }
        return try await Command.run(
            Testbed.root.appending(path: "scripts/servers").path, [testbed.serversFolder] + arguments)
    }
}
