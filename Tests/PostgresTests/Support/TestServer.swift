import SettleCore
import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

/// The server that the integration tests use, from `SETTLE_TEST_POSTGRES_URL`: a superuser's URL.
enum TestServer {
    static let url = ProcessInfo.processInfo.environment["SETTLE_TEST_POSTGRES_URL"]
    static var isAvailable: Bool { url != nil }

    static func configuration(database: String, port: Int? = nil) throws -> PostgresConfiguration {
        let url = try #require(url)
        var components = try #require(URLComponents(string: url))
        components.path = "/\(database)"
        if let port { (components.host, components.port) = ("127.0.0.1", port) }
        let named = try #require(components.string)
        return try PostgresConfiguration(url: named)
    }

    static var port: Int { url.flatMap { URLComponents(string: $0)?.port } ?? 5432 }
}

/// So many tests at once use the server, which has a hundred connections.
private let turns = Slots(4)

/// Runs `body` with a database of its own name, dropped afterwards.
func withNewDatabase<R: Sendable>(_ body: (String) async throws -> R) async throws -> R {
    try await turns.use(within: .seconds(600)) { _ in
        var configuration = try TestServer.configuration(database: "postgres")
        configuration.connections = 1
        let admin = PostgresDatabase(configuration, logger: quiet)
        return try await serving([admin]) {
            let name = "test_" + UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: "")
            _ = try await admin.query("CREATE DATABASE \(name)")
            let result: Result<R, any Error>
            do { result = .success(try await body(name)) } catch { result = .failure(error) }
            _ = try await admin.query("DROP DATABASE \(name) WITH (FORCE)")
            return try result.get()
        }
    }
}

/// Runs `body` with a client of a new database.
func withDatabase<R: Sendable>(
    connections: Int = 1, configure: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresDatabase) async throws -> R
) async throws -> R {
    try await withNewDatabase { name in
        var configuration = try TestServer.configuration(database: name)
        configuration.connections = connections
        configure(&configuration)
        let database = PostgresDatabase(configuration, logger: quiet)
        return try await serving([database]) { try await body(database) }
    }
}

/// Runs `body` with a client whose connections go through a proxy, and one that goes straight to the same database.
func withProxiedDatabase<R: Sendable>(
    connections: Int = 1, configure: (inout PostgresConfiguration) -> Void = { _ in },
    judge: @escaping TCPProxy.Judge = { _ in .forward },
    _ body: (_ database: PostgresDatabase, _ straight: PostgresDatabase, _ proxy: TCPProxy) async throws -> R
) async throws -> R {
    try await withNewDatabase { name in
        let proxy = try TCPProxy(target: UInt16(TestServer.port), judge: judge)
        defer { proxy.stop() }
        var configuration = try TestServer.configuration(database: name, port: Int(proxy.port))
        configuration.connections = connections
        configure(&configuration)
        let database = PostgresDatabase(configuration, logger: quiet)
        var straightConfiguration = try TestServer.configuration(database: name)
        straightConfiguration.connections = 1
        let straight = PostgresDatabase(straightConfiguration, logger: quiet)
        return try await serving([straight]) {
            try await serving([database]) { try await body(database, straight, proxy) }
        }
    }
}

/// The error of a call that must fail.
func failure<R>(_ body: () async throws -> R) async throws -> PostgresError {
    do { _ = try await body() } catch let error as PostgresError { return error }
    throw Unexpected("the call succeeded")
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
