extension MigrationSet {
    /// Its migrations as files, for a tool that applies migrations itself: Flyway, sqitch, psql.
    ///
    /// Each file does what `PostgresMigrator` does: it records its migration, and fails there, with nothing changed, if it
    /// was applied before; has its names stand for the schema, which it creates if need be; and leaves the session's search
    /// path as it was. It wants to be run in one transaction, as those tools do. A service that uses `PostgresMigrator`
    /// then finds nothing left to do, and one that does not asks `PostgresMigrator.verify`.
    ///
    /// - Parameter prefix: what their names begin with; after it comes the number in the migration's name.
    public func files(prefix: String = "V") -> [(name: String, sql: String)] {
        migrations.enumerated().map { index, migration in
            let digits = migration.name.drop { !$0.isASCIIDigit }.prefix { $0.isASCIIDigit }
            let number = digits.isEmpty ? String(index + 1) : String(digits)
            return ("\(prefix)\(number)__\(migration.name).sql", script(of: migration))
        }
    }

    private func script(of migration: Migration) -> String {
        let record = [recordedName, migration.name, migration.checksum].map(\.literal).joined(separator: ", ")
        let body = migration.sql.hasSuffix("\n") ? migration.sql : migration.sql + "\n"
        return """
            CREATE SCHEMA IF NOT EXISTS settle;
            \(PostgresMigrator.recordTable);
            INSERT INTO settle.migration ("set", name, checksum) VALUES (\(record));
            \(schema.map { "\n" + enter($0) } ?? "")
            \(body)\(schema == nil ? "" : Self.leave)
            """
    }

    private func enter(_ schema: SchemaName) -> String {
        // The right to create one is asked for even where it exists.
        let create = schema == .public ? "" : "CREATE SCHEMA IF NOT EXISTS \(schema.quoted);\n"
        return create + """
            SELECT set_config('settle.search_path', current_setting('search_path'), false);
            SELECT set_config('search_path', concat_ws(', ', \(schema.quoted.literal),
                                                       nullif(current_setting('search_path'), '')), false);

            """
    }

    /// The text before it may end without a semicolon, and in a comment.
    private static let leave = """
        ;
        SELECT set_config('search_path', current_setting('settle.search_path'), false);

        """
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}

extension String {
    /// As a constant in SQL, whatever the server's `standard_conforming_strings`.
    fileprivate var literal: String {
        let quoted = "'" + replacing("'", with: "''") + "'"
        return contains("\\") ? "E" + quoted.replacing("\\", with: "\\\\") : quoted
    }
}
