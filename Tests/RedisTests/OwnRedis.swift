import Foundation
import SettleRedis
import SettleTestSupport
import Testing

/// A Redis of one test's own, which it may spoil; ends with the test.
struct OwnRedis {
    private static let program = "/usr/bin/redis-server"
    /// Only where integration tests are wanted, and the server is installed.
    static var isPossible: Bool { TestRedis.url != nil && FileManager.default.isExecutableFile(atPath: program) }

    private let port: Int
    /// Apart from the clients under test. It does not look by itself whether Redis can be used, and so stays up.
    private let controller: RedisClient

    func url(password: String? = nil) -> String { Self.url(port, password) }

    private static func url(_ port: Int, _ password: String?) -> String {
        "redis://\(password.map { ":\($0)@" } ?? "")127.0.0.1:\(port)"
    }

    static func with(password: String? = nil, _ body: (OwnRedis) async throws -> Void) async throws {
        let port = try Ports.take()
        let server = try PrivateServer()
        let command = [program, "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        let secret = password.map { ["--requirepass", $0] } ?? []
        let result: Result<Void, any Error>
        do {
            try await server.start(command + ["--dir", server.folder.path] + secret) { Socket.accepts(port: port) }
            try await TestRedis.withClient(url(port, password), adjust: { $0.idleCheck = .seconds(3600) }) {
                controller in
                try await eventually { controller.isUp }
                let info = try await controller.send([RedisCommand(["INFO", "server"])]).first?.text ?? ""
                try #require(info.contains("process_id:\(server.pid ?? 0)\r"), "port \(port) is another's")
                try await body(OwnRedis(port: port, controller: controller))
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await server.remove()
        try result.get()
    }

    func control(_ commands: [[String]]) async throws {
        for reply in try await controller.send(commands.map { RedisCommand($0) }) {
            if case .error(let text) = reply { Issue.record("\(text)") }
        }
    }
}
