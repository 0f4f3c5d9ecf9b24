import Foundation
import SettleRedis
import Synchronization
import Testing

/// A Redis of one test's own, which it may spoil; ends with the test.
struct OwnRedis {
    private static let program = "/usr/bin/redis-server"
    /// Only where integration tests are wanted, and the server is installed.
    static var isPossible: Bool { TestRedis.url != nil && FileManager.default.isExecutableFile(atPath: program) }

    /// Below the range that the system gives to outgoing connections.
    private static let nextPort = Atomic(Int.random(in: 12_000..<19_000))

    private let port: Int
    /// Apart from the clients under test. It does not look by itself whether Redis can be used, and so stays up.
    private let controller: RedisClient

    func url(password: String? = nil) -> String { Self.url(port, password) }

    private static func url(_ port: Int, _ password: String?) -> String {
        "redis://\(password.map { ":\($0)@" } ?? "")127.0.0.1:\(port)"
    }

    static func with(password: String? = nil, _ body: (OwnRedis) async throws -> Void) async throws {
        let port = nextPort.add(1, ordering: .relaxed).newValue
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = ["--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        process.arguments? += ["--dir", FileManager.default.temporaryDirectory.path]
        if let password { process.arguments? += ["--requirepass", password] }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // Not by SIGTERM, which the child may have inherited as blocked. Its end is not waited for: what Foundation watches
        // a process by may have been inherited by another.
        defer { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
        try await TestRedis.withClient(url(port, password), adjust: { $0.idleCheck = .seconds(3600) }) { controller in
            try #require(try await TestRedis.eventually { controller.isUp })
            let info = try await controller.send([RedisCommand(["INFO", "server"])]).first?.text ?? ""
            try #require(info.contains("process_id:\(process.processIdentifier)\r"), "port \(port) is another's")
            try await body(OwnRedis(port: port, controller: controller))
        }
    }

    func control(_ commands: [[String]]) async throws {
        for reply in try await controller.send(commands.map { RedisCommand($0) }) {
            if case .error(let text) = reply { Issue.record("\(text)") }
        }
    }
}
