import Foundation
import Logging
import ServiceLifecycle
import SettlePostgres
import Testing

/// A database of its own for one test.
enum TestBase {
    static let serverURL = ProcessInfo.processInfo.environment["SETTLE_TEST_POSTGRES_URL"]
    static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    static func with(
        _ sets: [MigrationSet], _ body: (PostgresDatabase) async throws -> Void
    ) async throws {
        let server = try #require(serverURL)
        let name = "testing_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        let admin = try connect(server)
        try await running([admin]) {
            _ = try await admin.query("CREATE DATABASE \(name)")
            var parts = try #require(URLComponents(string: server))
            parts.path = "/" + name
            let database = try connect(try #require(parts.string))
            let result: Result<Void, any Error>
            do {
                try await running([database]) {
                    for set in sets {
                        try await PostgresMigrator.apply(set, on: database)
                    }
                    try await body(database)
                }
                result = .success(())
            } catch {
                result = .failure(error)
            }
            _ = try await admin.query("DROP DATABASE \(name) WITH (FORCE)")
            try result.get()
        }
    }

    static func running(_ services: [any Service], _ body: () async throws -> Void) async throws {
        let group = ServiceGroup(services: services, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let result: Result<Void, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            try result.get()
        }
    }

    private static func connect(_ url: String) throws -> PostgresDatabase {
        var configuration = try PostgresConfiguration(url: url)
        configuration.connections = 2
        return PostgresDatabase(configuration, logger: quiet)
    }
}
