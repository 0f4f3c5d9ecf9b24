public import Foundation
import SettleCore

/// Applies the migrations a database does not have yet, each in a transaction of its own together with its record in
/// `settle.migration`. Any number of processes may start at once: an advisory lock lets one work at a time.
public enum PostgresMigrator {
    /// The key of the advisory lock, the letters "settle" in ASCII; advisory locks are per database.
    private static let lockKey = 0x73_65_74_74_6c_65

    /// Applies, in order, those migrations of `set` that this database does not have yet; answers their names.
    ///
    /// Where the set has a schema, it is created if need be, and stands first in the search path while a migration runs: an
    /// unqualified name that is created is created there, and one that is looked up is looked for there first. What was
    /// applied is remembered for each schema, so one set may be in several schemas of a database, once in each. In `public`
    /// it is remembered under the set's name alone, as it is without a schema.
    ///
    /// Recorded migrations that are not in the set are left alone: a newer version may have been here.
    ///
    /// - Parameters:
    ///   - set: what the database shall have.
    ///   - database: the one that shall have it.
    ///   - lockTimeout: how long a statement waits for a lock. Not for long: what waits for a table stands in the way
    ///     of all who come after, and whoever holds it may be a prepared transaction that only this very process can
    ///     end.
    /// - Throws: `PostgresMigrationError`, and then nothing is applied but those before the one that it names. One that
    ///   `isPermanent` somebody must mend; else, and with a `PostgresError`, it may work later.
    @discardableResult
    public static func apply(
        _ set: MigrationSet, on database: PostgresDatabase, lockTimeout: Duration = .seconds(2)
    ) async throws -> [String] {
        try checkNames(of: set)
        try await prepare(database)
        // Without the lock: most starts find nothing to do, and each step looks again under it.
        var applied: [String] = []
        for migration in try await missing(of: set, on: database) {
            if try await apply(migration, of: set, on: database, lockTimeout) { applied.append(migration.name) }
        }
        return applied
    }

    /// The same for migrations that are no set's: of the set called `set`, without a schema.
    @discardableResult
    public static func apply(
        _ migrations: [Migration], set: String, on database: PostgresDatabase, lockTimeout: Duration = .seconds(2)
    ) async throws -> [String] {
        try await apply(MigrationSet(set, migrations), on: database, lockTimeout: lockTimeout)
    }

    /// Changes nothing, and throws unless this database has all migrations of `set` as they are here: for a service whose
    /// tables another tool makes, from `MigrationSet.files`. It needs the right to read `settle.migration`, and no other.
    ///
    /// - Throws: `PostgresMigrationError`; `missing` is not permanent, for that tool may only be late.
    public static func verify(_ set: MigrationSet, on database: PostgresDatabase) async throws {
        try checkNames(of: set)
        let missing = try await isPrepared(database) ? missing(of: set, on: database) : set.migrations
        guard missing.isEmpty else {
            throw PostgresMigrationError.missing(set: set.recordedName, names: missing.map(\.name))
        }
    }

    /// What `settle.migration` says of a set, by the migrations' names: the SHA-256 of each in hex, and when it was applied.
    public static func applied(
        _ set: MigrationSet, on database: PostgresDatabase
    ) async throws -> [String: (checksum: String, appliedAt: Date)] {  // ours
        guard try await isPrepared(database) else { return [:] }
        return try await database.query(
            #"SELECT name, checksum, applied_at FROM settle.migration WHERE "set" = $1"#, [.text(set.recordedName)]
        ).reduce(into: [:]) { known, row in
            known[try row.decode(String.self, at: 0)] = (
                try row.decode(String.self, at: 1), try row.decode(Date.self, at: 2)
            )
        }
    }

    private static func checkNames(of set: MigrationSet) throws(PostgresMigrationError) {
        var names: Set<String> = []
        for migration in set.migrations where !names.insert(migration.name).inserted {
            throw PostgresMigrationError.duplicate(set: set.recordedName, name: migration.name)
        }
    }

    /// Those that are not recorded; throws when one is, with another text.
    private static func missing(of set: MigrationSet, on database: PostgresDatabase) async throws -> [Migration] {
        let recorded = try await database.query(checksumsSQL, [.text(set.recordedName)])
        let checksums = try Dictionary(
            recorded.map { (try $0.decode(String.self, "name"), try $0.decode(String.self, "checksum")) }
        ) { first, _ in first }
        for migration in set.migrations {
            if let checksum = checksums[migration.name], checksum != migration.checksum {
                throw PostgresMigrationError.changed(set: set.recordedName, name: migration.name)
            }
        }
        return set.migrations.filter { checksums[$0.name] == nil }
    }

    private static let checksumsSQL = #"SELECT name, checksum FROM settle.migration WHERE "set" = $1"#

    /// CREATE … IF NOT EXISTS of two at once can still collide, hence the lock; where the table is there, nobody waits
    /// for another process's long migration.
    private static func prepare(_ database: PostgresDatabase) async throws {
        if try await isPrepared(database) { return }
        try await database.transaction { transaction in
            lock(transaction)
            transaction.add("CREATE SCHEMA IF NOT EXISTS settle")
            transaction.add(recordTable)
        }
    }

    static let recordTable = """
        CREATE TABLE IF NOT EXISTS settle.migration (
            "set" text NOT NULL, name text NOT NULL, checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY ("set", name)
        )
        """

    private static func isPrepared(_ database: PostgresDatabase) async throws -> Bool {
        try await database.query("SELECT to_regclass('settle.migration') IS NOT NULL")[0].decode(Bool.self, at: 0)
    }

    /// Answers whether it was this call that applied it.
    private static func apply(
        _ migration: Migration, of set: MigrationSet, on database: PostgresDatabase, _ lockTimeout: Duration
    ) async throws -> Bool {
        let (name, set, schema) = (migration.name, set.recordedName, set.schema)
        do {
            return try await database.transaction { transaction in
                lock(transaction)
                // A statement of its own, so that its snapshot is taken under the lock.
                let recorded = try transaction.query(
                    checksumsSQL + " AND name = $2", [.text(set), .text(name)])
                if let checksum = try recorded.first?.decode(String.self, "checksum") {
                    guard checksum == migration.checksum else {
                        throw PostgresMigrationError.changed(set: set, name: name)
                    }
                    return false
                }
                _ = try transaction.query(
                    "SELECT set_config('lock_timeout', $1, true)", [.text("\(lockTimeout.milliseconds)ms")])
                if let schema { try enter(schema, transaction) }
                try transaction.context.script(migration.sql)
                // What the text set for its session, a search path perhaps, must not stay with the connection.
                transaction.add("RESET ALL")
                transaction.add(SessionSettings.pin.sql)
                transaction.add(
                    #"INSERT INTO settle.migration ("set", name, checksum) VALUES ($1, $2, $3)"#,
                    [.text(set), .text(name), .text(migration.checksum)])
                return true
            }
        } catch let error as PostgresError where error.kind == .server && !error.mayPass {
            throw error.isBlocked
                ? PostgresMigrationError.blocked(set: set, name: name, error)
                : PostgresMigrationError.failed(set: set, name: name, error)
        }
    }

    private static func enter(_ schema: SchemaName, _ transaction: borrowing PostgresTransaction) throws {
        let isThere = try transaction.query(
            "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", [.text(schema.rawValue)])
        // With IF NOT EXISTS the right to create one would be asked for even where it exists.
        if try !isThere[0].decode(Bool.self, at: 0) { transaction.add("CREATE SCHEMA \(schema.quoted)") }
        transaction.add(
            """
            SELECT set_config('search_path', concat_ws(', ', $1::text, nullif(current_setting('search_path'), '')), true)
            """, [.text(schema.quoted)])
        // A schema that one may not use is passed over in silence, and the tables would go into the next.
        let current = try transaction.query("SELECT current_schema()")
        guard try current[0].decode(String?.self, at: 0) == schema.rawValue else {
            throw PostgresError(.server, "the role may not use the schema \(schema)")
        }
    }

    private static func lock(_ transaction: borrowing PostgresTransaction) {
        // Another process may take its time with a long migration.
        transaction.context.waitAsLongAsItTakes()
        transaction.add("SET LOCAL statement_timeout = 0")
        transaction.add("SET LOCAL lock_timeout = 0")
        transaction.add("SELECT pg_advisory_xact_lock($1)", [.int(lockKey)])
    }
}

extension PostgresError {
    /// Whether the same migration may be applied later without a change.
    fileprivate var mayPass: Bool { isUnavailable || isSerializationConflict }

    /// A lock was not to be had, or undecided global transactions of mode `at` hold a row (`ST001`) or rows of the table
    /// (`ST002`, see `sql/settle`).
    fileprivate var isBlocked: Bool { isLockTimeout || sqlState == "ST001" || sqlState == "ST002" }
}
