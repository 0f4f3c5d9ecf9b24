import SettleTestSupport

/// The suite's PostgreSQL, RabbitMQ and Redis, by the script that keeps them.
struct PrivateServers: Sendable {
    let script: String
    let folder: String

    func stop(_ name: String) async throws { try await run("stop", name) }

    /// Its process id.
    func start(_ name: String) async throws -> Int {
        try await run("start", name)
        let status = try await run("status", name)
        guard let id = status.split(whereSeparator: \.isWhitespace).last.flatMap({ Int($0) }) else {
            throw BenchDatabases.Missing(description: "\(name) is not up: \(status)")
        }
        return id
    }

    @discardableResult
    private func run(_ action: String, _ name: String) async throws -> String {
        try await Command.run(script, [folder, action, name])
    }
}
