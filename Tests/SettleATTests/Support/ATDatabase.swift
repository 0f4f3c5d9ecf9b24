import SettleCore
import Foundation
import SettlePostgres
import SettleSchema
import SettleTestSupport
import Testing

/// A database of its own with the AT functions in it, owned by a role that is no superuser, as a service's is.
struct ATDatabase {
    /// As the owner, who applied the migrations.
    let owner: PostgresDatabase
    /// As the superuser, who can pass the guard.
    let superuser: PostgresDatabase

    private static let url = ProcessInfo.processInfo.environment["SETTLE_TEST_POSTGRES_URL"]
    static var isAvailable: Bool { url != nil }
    static let ownerName = "settle_at_owner"

    /// Runs `body` with a new database, which is dropped afterwards; `tables` is SQL that its owner runs first, after
    /// `migrations`.
    static func with(
        _ tables: String, migrations: [Migration] = SettleSchema.at.migrations,
        _ body: (ATDatabase) async throws -> Void
    ) async throws {
        try await turns.use(within: .seconds(600)) { _ in
            let name = "settle_at_" + UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: "")
            try await serving(client(database: "postgres")) { admin in
                _ = try await admin.query(createRoleSQL(ownerName))
                _ = try await admin.query("CREATE DATABASE \(name) OWNER \(ownerName)")
                let result: Result<Void, any Error>
                do {
                    try await serving(client(database: name, role: ownerName, connections: 10)) { owner in
                        try await serving(client(database: name)) { superuser in
                            try await PostgresMigrator.apply(migrations, set: "at", on: owner)
                            try await owner.script(tables)
                            try await body(ATDatabase(owner: owner, superuser: superuser))
                        }
                    }
                    result = .success(())
                } catch {
                    result = .failure(error)
                }
                _ = try await admin.query("DROP DATABASE \(name) WITH (FORCE)")
                try result.get()
            }
        }
    }

    /// Runs `body` with a client that logged in as another role, which may only do what it was granted.
    func with(role: String, _ body: (PostgresDatabase) async throws -> Void) async throws {
        _ = try await superuser.query(Self.createRoleSQL(role))
        let name = try await text("SELECT current_database()")
        try await Self.serving(Self.client(database: name, role: role), body)
        _ = try await superuser.query("DROP OWNED BY \(role)")
    }

    /// Runs statements in one transaction under `xid`.
    func at(_ xid: String, _ statements: String...) async throws {
        try await owner.transaction { transaction in
            transaction.add("SELECT set_config('settle.xid', $1, true)", [.text(xid)])
            for statement in statements { transaction.add(statement) }
        }
    }

    func commit(_ xids: String...) async throws {
        _ = try await owner.query("SELECT settle.at_commit($1::text[])", [.texts(xids)])
    }

    /// The outcome and the rows that are in the way.
    @discardableResult
    func rollback(_ xid: String) async throws -> String {
        try await text("SELECT outcome || ' ' || details::text FROM settle.at_rollback($1)", [.text(xid)])
    }

    /// Does something that the guard would have refused, as only a superuser can.
    func pastTheGuard(_ statement: String) async throws {
        try await superuser.transaction { transaction in
            transaction.add("SET LOCAL session_replication_role = replica")
            transaction.add(statement)
        }
    }

    /// The first column of the first row.
    func text(_ sql: String, _ parameters: [PostgresValue] = []) async throws -> String {
        let row = try await owner.query(sql, parameters).first
        return try #require(row).decode(String.self, at: 0)
    }

    /// All rows of a table, or of a function, as PostgreSQL writes them.
    func rows(of table: String) async throws -> [String] {
        try await owner.query("SELECT whole::text AS line FROM \(table) AS whole ORDER BY 1").map {
            try $0.decode(at: 0)
        }
    }

    /// Whether nothing is held and no image is kept.
    func isClean() async throws -> Bool {
        try await text(
            """
            SELECT (SELECT count(*) FROM settle.undo_log) + (SELECT count(*) FROM settle.freed)
                + (SELECT count(*) FROM settle.kept) + (SELECT count(*) FROM settle.restoring) || ''
            """) == "0"
    }

    /// What stands in the way of mode `at`.
    func obstacles() async throws -> [String] {
        try await owner.query(#"SELECT "table" || ': ' || obstacle FROM settle.at_obstacles()"#).map {
            try $0.decode(at: 0)
        }
    }

    private static func createRoleSQL(_ name: String) -> String {
        """
        DO $$ BEGIN
            CREATE ROLE \(name) LOGIN PASSWORD 'settle';
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
        """
    }

    private static func client(database: String, role: String? = nil, connections: Int = 1) throws -> PostgresDatabase {
        let url = try #require(url)
        var components = try #require(URLComponents(string: url))
        components.path = "/\(database)"
        if let role { (components.user, components.password) = (role, "settle") }
        let named = try #require(components.string)
        var configuration = try PostgresConfiguration(url: named)
        configuration.connections = connections
        return PostgresDatabase(configuration, logger: quiet)
    }

    private static func serving(_ database: PostgresDatabase, _ body: (PostgresDatabase) async throws -> Void)
        async throws
    {
        try await SettleTestSupport.serving([database]) { try await body(database) }
    }
}

/// Each test takes a dozen of the server's hundred connections.
private let turns = Slots(4)

/// The SQLSTATE of a call that the server must refuse.
func refusal(_ body: () async throws -> Void) async throws -> String {
    do {
        try await body()
    } catch let error as PostgresError {
        return error.sqlState ?? "\(error)"
    }
    return "not refused"
}
