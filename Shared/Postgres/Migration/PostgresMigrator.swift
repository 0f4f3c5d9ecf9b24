import SettleCore

/// Applies the migrations a database does not have yet, each in a transaction of its own together with its record in
/// `settle.migration`. Any number of processes may start at once: an advisory lock lets one work at a time.
public enum PostgresMigrator {
    /// The key of the advisory lock, the letters "settle" in ASCII; advisory locks are per database.
    private static let lockKey = 0x73_65_74_74_6c_65

    /// Applies, in order, those of `migrations` that `set` does not have in this database yet; answers their names.
    ///
    /// Recorded migrations that are not in the list are left alone: a newer version may have been here.
    ///
    /// - Parameter lockTimeout: how long a statement waits for a lock. Not for long: what waits for a table stands in the
    ///   way of all who come after, and whoever holds it may be a prepared transaction that only this very process can end.
    /// - Throws: `PostgresMigrationError`, and then nothing is applied but those before the one that it names. One that
    ///   `isPermanent` somebody must mend; else, and with a `PostgresError`, it may work later.
    @discardableResult
    public static func apply(
        _ migrations: [Migration], set: String, on database: PostgresDatabase, lockTimeout: Duration = .seconds(2)
    ) async throws -> [String] {
        var names: Set<String> = []
        for migration in migrations where !names.insert(migration.name).inserted {
            throw PostgresMigrationError.duplicate(set: set, name: migration.name)
        }
        try await prepare(database)
        // Without the lock: most starts find nothing to do, and each step looks again under it.
        let recorded = try await database.query(checksumsSQL, [.text(set)])
        let checksums = try Dictionary(
            recorded.map { (try $0.decode(String.self, "name"), try $0.decode(String.self, "checksum")) }
        ) { first, _ in first }
        for migration in migrations {
            if let checksum = checksums[migration.name], checksum != migration.checksum {
                throw PostgresMigrationError.changed(set: set, name: migration.name)
            }
        }
        var applied: [String] = []
        for migration in migrations where checksums[migration.name] == nil {
            if try await apply(migration, set: set, on: database, lockTimeout) { applied.append(migration.name) }
        }
        return applied
    }

    private static let checksumsSQL = #"SELECT name, checksum FROM settle.migration WHERE "set" = $1"#

    /// CREATE … IF NOT EXISTS of two at once can still collide, hence the lock; where the table is there, nobody waits
    /// for another process's long migration.
    private static func prepare(_ database: PostgresDatabase) async throws {
        let isThere = try await database.query("SELECT to_regclass('settle.migration') IS NOT NULL")
        if try isThere[0].decode(Bool.self, at: 0) { return }
        try await database.transaction { transaction in
            lock(transaction)
            transaction.add("CREATE SCHEMA IF NOT EXISTS settle")
            transaction.add(
                """
                CREATE TABLE IF NOT EXISTS settle.migration (
                    "set" text NOT NULL, name text NOT NULL, checksum text NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now(),
                    PRIMARY KEY ("set", name)
                )
                """)
        }
    }

    /// Answers whether it was this call that applied it.
    private static func apply(
        _ migration: Migration, set: String, on database: PostgresDatabase, _ lockTimeout: Duration
    ) async throws -> Bool {
        do {
            return try await database.transaction { transaction in
                lock(transaction)
                // A statement of its own, so that its snapshot is taken under the lock.
                let recorded = try transaction.query(
                    checksumsSQL + " AND name = $2", [.text(set), .text(migration.name)])
                if let checksum = try recorded.first?.decode(String.self, "checksum") {
                    guard checksum == migration.checksum else {
                        throw PostgresMigrationError.changed(set: set, name: migration.name)
                    }
                    return false
                }
                _ = try transaction.query(
                    "SELECT set_config('lock_timeout', $1, true)", [.text("\(lockTimeout.milliseconds)ms")])
                try transaction.context.script(migration.sql)
                // What the text set for its session, a search path perhaps, must not stay with the connection.
                transaction.add("RESET ALL")
                transaction.add(SessionSettings.pin.sql)
                transaction.add(
                    #"INSERT INTO settle.migration ("set", name, checksum) VALUES ($1, $2, $3)"#,
                    [.text(set), .text(migration.name), .text(migration.checksum)])
                return true
            }
        } catch let error as PostgresError where error.kind == .server && !error.mayPass {
            throw error.isBlocked
                ? PostgresMigrationError.blocked(set: set, name: migration.name, error)
                : PostgresMigrationError.failed(set: set, name: migration.name, error)
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
