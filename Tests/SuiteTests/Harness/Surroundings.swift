import Foundation
import SettlePostgres
import SettleRedis
import SettleTestSupport
import Synchronization

/// What one suite stands on and shares with no other: four databases with a role each, a virtual host, a Redis
/// database.
struct Surroundings: Sendable {
    let name: String
    let password: String
    let testbed: Testbed
    let redisNumber: Int

    private static let counter = Mutex(0)

    static func make(_ testbed: Testbed) async throws -> Surroundings {
        let number = counter.withLock { counter in
            counter += 1
            return counter
        }
        let surroundings = Surroundings(
            name: "suite_\(UUID().uuidString.lowercased().prefix(6))", password: UUID().uuidString, testbed: testbed,
            redisNumber: 1 + number % 15)
        try await Servers.start(.postgres, .rabbitmq, .redis)
        async let databases: Void = surroundings.createDatabases()
        try await surroundings.createVirtualHost()
        try await databases
        return surroundings
    }

    func remove() async throws {
        try await Servers.start(.postgres, .rabbitmq, .redis)
        try await asSuperuser { admin in
            for role in Role.everyone {
                try await rollBackPrepared(databaseName(of: role), admin)
                _ = try await admin.query("DROP DATABASE IF EXISTS \(databaseName(of: role)) WITH (FORCE)")
                _ = try await admin.query("DROP ROLE IF EXISTS \(databaseName(of: role))")
            }
        }
        try await Servers.rabbitmqctl("delete_vhost", name)
    }

    /// A test that failed may leave prepared transactions, and they the database; only from inside can they be ended.
    private func rollBackPrepared(_ database: String, _ admin: PostgresDatabase) async throws {
        let gids = try await admin.query("SELECT gid FROM pg_prepared_xacts WHERE database = $1", [.text(database)])
        guard !gids.isEmpty else { return }
        try await asSuperuser(in: database) { inside in
            for row in gids {
                let gid = try row.decode(String.self, at: 0).replacing("'", with: "''")
                _ = try await inside.query("ROLLBACK PREPARED '\(gid)'")
            }
        }
    }

    func databaseName(of role: Role) -> String { "\(name)_\(role.databaseName)" }

    /// As the service that owns it.
    func databaseURL(of role: Role) throws -> String {
        try url(testbed.postgresURL) {
            $0.user = databaseName(of: role)
            $0.password = password
            $0.path = "/" + databaseName(of: role)
        }
    }

    var amqpURL: String { get throws { try url(testbed.amqpURL) { $0.path = "/" + name } } }

    /// With the account of that service.
    func amqpURL(of role: Role) throws -> String {
        guard let url = testbed.amqpURLs[role] else {
            throw NotInTime("no account of \(role.rawValue) at the broker: see scripts/test")
        }
        return try self.url(url) { $0.path = "/" + name }
    }

    var redisURL: String { get throws { try url(testbed.redisURL) { $0.path = "/\(redisNumber)" } } }

    /// As the user of that service.
    func redisURL(of role: Role) throws -> String {
        // It has none.
        if role == .messageCentre { return "" }
        guard let url = testbed.redisURLs[role] else {
            throw NotInTime("no user of \(role.rawValue) at Redis: see scripts/test")
        }
        return try self.url(url) { $0.path = "/\(redisNumber)" }
    }

    private func url(_ text: String, _ change: (inout URLComponents) -> Void) throws -> String {
        guard var parts = URLComponents(string: text) else { throw URLError(.badURL) }
        change(&parts)
        guard let changed = parts.string else { throw URLError(.badURL) }
        return changed
    }

    private func createDatabases() async throws {
        try await asSuperuser { admin in
            for role in Role.everyone {
                let name = databaseName(of: role)
                _ = try await admin.query("CREATE ROLE \(name) LOGIN PASSWORD '\(password)'")
                _ = try await admin.query("CREATE DATABASE \(name) OWNER \(name)")
            }
        }
    }

    private func createVirtualHost() async throws {
        let user = URLComponents(string: testbed.amqpURL)?.user ?? "guest"
        // The services may do here what they may do elsewhere. One call to the broker instead of many.
        try await Servers.rabbitmqctl(
            "eval",
            """
            rabbit_vhost:add(<<"\(name)">>, <<"\(user)">>),
            rabbit_auth_backend_internal:set_permissions(
                <<"\(user)">>, <<"\(name)">>, <<".*">>, <<".*">>, <<".*">>, <<"\(user)">>),
            [rabbit_auth_backend_internal:set_permissions(
                Account, <<"\(name)">>, proplists:get_value(configure, Found), proplists:get_value(write, Found),
                proplists:get_value(read, Found), <<"\(user)">>)
             || Account <- [\(Role.everyone.map { "<<\"\($0.rawValue)\">>" }.joined(separator: ", "))],
                Found <- rabbit_auth_backend_internal:list_user_permissions(Account),
                proplists:get_value(vhost, Found) =:= <<"/">>].
            """)
    }

    /// Ends all connections that a service has, as an administrator or a failover would.
    func terminateConnections(of role: Role) async throws {
        try await asSuperuser { admin in
            _ = try await admin.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
                [.text(databaseName(of: role))])
        }
    }

    /// In the testbed's own database, or in `database`.
    func asSuperuser(in database: String? = nil, _ body: (PostgresDatabase) async throws -> Void) async throws {
        var configuration = try PostgresConfiguration(
            url: url(testbed.postgresURL) { if let database { $0.path = "/" + database } })
        configuration.connections = 1
        let admin = PostgresDatabase(configuration, logger: quiet)
        try await serving([admin]) { try await body(admin) }
    }
}
