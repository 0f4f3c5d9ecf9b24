import SettlePostgres
import SettleSchema
import Testing

/// A database whose tables were enrolled by the first version of the functions, with transactions undecided.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct UpgradeTests {
    private static let first = Array(SettleSchema.at.migrations.prefix(4))

    private static let tables = """
        CREATE SCHEMA a; CREATE TABLE a.b (id int PRIMARY KEY); CREATE TABLE a_b (id text PRIMARY KEY);
        CREATE TABLE shelf (id int PRIMARY KEY, name text UNIQUE);
        CREATE TABLE box (id int PRIMARY KEY, shelf int REFERENCES shelf, tags text[], at timestamptz);
        CREATE TABLE late (id int PRIMARY KEY DEFERRABLE);
        INSERT INTO shelf VALUES (1, 'one'), (2, 'two'), (3, 'three');
        INSERT INTO box VALUES (1, 1, '{a}', 'now'), (2, 2, NULL, NULL);
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;
        CREATE TRIGGER touch BEFORE UPDATE ON box FOR EACH ROW EXECUTE FUNCTION touch();
        SELECT settle.enroll('a.b', 'shelf', 'box', 'late');
        """

    private func upgrade(_ database: ATDatabase) async throws {
        try await PostgresMigrator.apply(SettleSchema.at.migrations, set: "at", on: database.owner)
    }

    @Test func whatIsUndecidedIsUndoneAndHeldAsIfItHadBeenDoneLater() async throws {
        try await ATDatabase.with(Self.tables, migrations: Self.first) { database in
            let before = try await (database.rows(of: "shelf"), database.rows(of: "box"))
            try await database.at(
                "x", "DELETE FROM box WHERE id = 1", "UPDATE box SET shelf = 1, tags = '{b}' WHERE id = 2",
                "UPDATE shelf SET name = 'drei' WHERE id = 3")
            try await upgrade(database)
            for shelf in [1, 2] {
                #expect(
                    try await refusal { _ = try await database.owner.query("DELETE FROM shelf WHERE id = \(shelf)") }
                        == "23503")
            }
            #expect(
                try await refusal { _ = try await database.owner.query("INSERT INTO shelf VALUES (4, 'three')") }
                    == "ST001")
            try await database.at("x", "UPDATE shelf SET name = 'tres' WHERE id = 3")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "shelf") == before.0)
            #expect(try await database.rows(of: "box") == before.1)
            #expect(try await database.isClean())
        }
    }

    @Test func tablesAreAsIfEnrolledNow() async throws {
        try await ATDatabase.with(Self.tables, migrations: Self.first) { database in
            try await upgrade(database)
            #expect(
                try await database.obstacles()
                    == ["public.late: constraint late_pkey is deferrable: what it forbids would be seen too late"])
            let open = """
                SELECT count(*)::text FROM pg_proc WHERE pronamespace = 'settle'::regnamespace
                    AND (proname LIKE 'at\\_%' OR proname IN ('enroll', 'withdraw', 'exempt'))
                    AND has_function_privilege('public', oid, 'EXECUTE')
                """
            #expect(try await database.text(open) == "0")
            _ = try await database.owner.query("SELECT settle.enroll('a_b')")
            let definitions = "SELECT string_agg(definition, ' ' ORDER BY id) FROM settle.enrolled"
            let upgraded = try await database.text(definitions)
            _ = try await database.owner.query("SELECT settle.enroll('a.b', 'shelf', 'box')")
            #expect(try await database.text(definitions) == upgraded)
        }
    }

    /// A prepared transaction has written the tables, and only the service that waits for the migration would end it.
    @Test func anUpgradeDoesNotWaitForRowsThatAreHeldForLong() async throws {
        try await ATDatabase.with(Self.tables, migrations: Self.first) { database in
            try await database.owner.transaction(ending: .prepare(gid: "settle_at_upgrade")) { transaction in
                transaction.add("UPDATE shelf SET name = 'held' WHERE id = 1")
                transaction.add("UPDATE box SET shelf = 3 WHERE id = 1")
            }
            let result: Result<Void, any Error>
            do { result = .success(try await upgrade(database)) } catch { result = .failure(error) }
            let obstacles = try await database.obstacles()
            _ = try await database.owner.query("ROLLBACK PREPARED 'settle_at_upgrade'")
            try result.get()
            #expect(obstacles.contains("public.box: it was altered since it was enrolled: enroll it again"))
            _ = try await database.owner.query("SELECT settle.enroll('box')")
            #expect(try await database.obstacles().count == 1)
        }
    }

    /// Altered since, or gone: the others are brought up to date, and these are named.
    @Test func aTableThatNoLongerFitsDoesNotStopTheUpgrade() async throws {
        try await ATDatabase.with(Self.tables, migrations: Self.first) { database in
            try await database.owner.script("ALTER TABLE box RENAME id TO number; DROP TABLE late CASCADE;")
            try await upgrade(database)
            #expect(
                try await database.obstacles() == ["public.box: it was altered since it was enrolled: enroll it again"])
        }
    }
}
