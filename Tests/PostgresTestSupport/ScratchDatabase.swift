import Foundation
package import SettlePostgres
import SettleTestSupport

/// A database for one test.
package enum ScratchDatabase {
    /// The server, as its superuser; nil where there is none.
    package static let serverURL = ProcessInfo.processInfo.environment["SETTLE_TEST_POSTGRES_URL"]

    /// Runs `body` with a new database that has the tables of `sets`; it is dropped afterwards. Its connections plan as the
    /// services' do.
    package static func with(
        _ sets: [MigrationSet], connections: Int = 1, _ body: (PostgresDatabase) async throws -> Void
    ) async throws {
        guard let server = serverURL, var parts = URLComponents(string: server) else {
            throw NoServer()
        }
        let name = "scratch_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        let admin = try connect(server)
        parts.path = "/" + name
        let database = try connect(parts.string ?? server, connections: connections)
        try await serving([admin]) {
            _ = try await admin.query("CREATE DATABASE \(name)")
            let result: Result<Void, any Error>
            do {
                try await serving([database]) {
                    for set in sets { try await PostgresMigrator.apply(set, on: database) }
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

    private static func connect(_ url: String, connections: Int = 1) throws -> PostgresDatabase {
        var configuration = try PostgresConfiguration(url: url)
        configuration.connections = connections
        configuration.plans = .byIndex
        configuration.statementTimeout = .seconds(600)
        return PostgresDatabase(configuration, logger: quiet)
    }
}

/// `SETTLE_TEST_POSTGRES_URL` is not set, or is none.
private struct NoServer: Error {}

extension PostgresDatabase {
    /// Has the planner believe that each table has so many rows. It goes by a table's density and by its size in pages, so the
    /// rows need not be there.
    package func pretend(rows: Int) async throws {
        try await script(
            """
            ANALYZE;
            UPDATE pg_class SET reltuples = \(rows),
                relpages = greatest(1, pg_relation_size(oid) / current_setting('block_size')::integer)
            WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'settle'::regnamespace);
            """)
    }

    /// Vacuums all tables.
    func sweep() async throws {
        let tables = try await query(
            """
            SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
            WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'settle'::regnamespace)
            """)
        _ = try await query("VACUUM \(try tables[0].decode(String.self, at: 0))")
    }
}
