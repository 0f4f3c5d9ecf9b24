import SettlePostgres
import Testing

/// Which tables can be taken in, and when they can be taken out.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct EnrollTests {
    @Test(arguments: [
        "CREATE TABLE t (id int)", "CREATE UNLOGGED TABLE t (id int PRIMARY KEY)", "CREATE VIEW t AS SELECT 1 AS id",
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY HASH (id)",
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY HASH (id); CREATE TABLE t PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE child () INHERITS (t)",
        "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE TABLE t (id int PRIMARY KEY); CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
        "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE)",
        "CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE DEFERRABLE)",
        "CREATE TABLE t (id int PRIMARY KEY, span int4range, EXCLUDE USING gist (span WITH &&))",
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE)",
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t ON UPDATE SET NULL)",
    ])
    func refusesWhatItCouldNotPutBack(tables: String) async throws {
        try await ATDatabase.with(tables) { database async throws in
            #expect(try await refusal { _ = try await database.owner.query("SELECT settle.enroll('t')") } == "0A000")
            #expect(try await database.text("SELECT count(*)::text FROM settle.enrolled") == "0")
        }
    }

    @Test func tablesWithACascadeBetweenThemGoInAndOutTogether() async throws {
        let tables = """
            CREATE TABLE t (id int PRIMARY KEY);
            CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE);
            """
        try await ATDatabase.with(tables) { database in
            _ = try await database.owner.query("SELECT settle.enroll('t', 'child')")
            #expect(
                try await refusal { _ = try await database.owner.query("SELECT settle.withdraw('child')") } == "0A000")
            _ = try await database.owner.query("SELECT settle.withdraw('child', 't')")
            let left = """
                SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal) + (SELECT count(*) FROM settle.enrolled)
                    + (SELECT count(*) FROM pg_proc WHERE proname ~ '^at_(insert|update|rekey|delete)_|^as_committed_') || ''
                """
            #expect(try await database.text(left) == "0")
        }
    }

    @Test func withdrawIsRefusedWhileRowsAreHeld() async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            try await database.at("x", "UPDATE product SET available = 1 WHERE sku = 'tea'")
            #expect(
                try await refusal { _ = try await database.owner.query("SELECT settle.withdraw('product')") } == "ST002"
            )
            _ = try await database.owner.query("SELECT settle.withdraw('basket')")
            try await database.rollback("x")
            _ = try await database.owner.query("SELECT settle.withdraw('product')")
            _ = try await database.owner.query("SELECT settle.withdraw('product')")
            try await database.at("x", "UPDATE product SET available = 1 WHERE sku = 'tea'")
            #expect(try await database.isClean())
        }
    }

    /// As a migration does: alter, then enroll again.
    @Test func enrollingAgainTakesUpANewKeyAndNewColumns() async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            let change = """
                ALTER TABLE product DROP CONSTRAINT product_pkey, ADD COLUMN id int GENERATED ALWAYS AS IDENTITY,
                    ADD COLUMN tags text[] DEFAULT '{a}', ADD PRIMARY KEY (id);
                SELECT settle.enroll('product');
                """
            try await database.at("x", "UPDATE product SET available = 1 WHERE sku = 'tea'")
            #expect(try await refusal { try await database.owner.script(change) } == "ST002")
            try await database.commit("x")
            try await database.owner.script(change)
            let before = try await database.rows(of: "product")
            try await database.at(
                "x", "UPDATE product SET sku = sku || '!', tags = '[3:3]={b}'", "DELETE FROM product WHERE id = 2")
            #expect(try await database.text("SELECT min(key::text) FROM settle.row_lock") == #"{"id": 1}"#)
            #expect(try await database.rows(of: "settle.as_committed_product()") == before)
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "product") == before)
        }
    }

    @Test func awkwardNames() async throws {
        let long = String(repeating: "x", count: 63)
        let tables = """
            CREATE SCHEMA "My ""Shop";
            CREATE TABLE "My ""Shop"."a.b %1$s" ("k'ey" int, "NEW" text, "%L" int, PRIMARY KEY ("k'ey", "NEW"));
            CREATE TABLE \(long) (id int PRIMARY KEY);
            INSERT INTO "My ""Shop"."a.b %1$s" VALUES (1, 'a', 2); INSERT INTO \(long) VALUES (1);
            SELECT settle.enroll('"My ""Shop"."a.b %1$s"', '\(long)');
            """
        try await ATDatabase.with(tables) { database in
            let names = [#""My ""Shop"."a.b %1$s""#, long]
            for name in names { try await database.at("x", "DELETE FROM \(name)") }
            #expect(try await database.rows(of: #"settle.as_committed(NULL::"My ""Shop"."a.b %1$s")"#) == ["(1,a,2)"])
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: names[0]) == ["(1,a,2)"])
            _ = try await database.owner.query("SELECT settle.withdraw('\(long)')")
        }
    }

    /// `a.b` and `a_b` come to one name for their readers, and so do names that differ after 50 bytes.
    @Test func readersOfTablesWithNamesThatLookAlike() async throws {
        let long = String(repeating: "x", count: 60)
        let tables = """
            CREATE SCHEMA a; CREATE TABLE a.b (id int PRIMARY KEY); CREATE TABLE a_b (id text PRIMARY KEY);
            CREATE TABLE \(long)1 (id int PRIMARY KEY); CREATE TABLE \(long)2 (id text PRIMARY KEY);
            INSERT INTO a.b VALUES (1); INSERT INTO a_b VALUES ('one');
            SELECT settle.enroll('a.b', '\(long)1');
            """
        try await ATDatabase.with(tables) { database in
            _ = try await database.owner.query("SELECT settle.enroll('a_b', '\(long)2')")
            _ = try await database.owner.query("SELECT settle.enroll('a_b', 'a.b')")
            try await database.at("x", "DELETE FROM a.b", "DELETE FROM a_b")
            for (table, row) in [("a.b", "(1)"), ("a_b", "(one)")] {
                let reader = try await database.text(
                    "SELECT reader FROM settle.enrolled WHERE relation = $1::regclass", [.text(table)])
                #expect(try await database.rows(of: "settle.\(reader)()") == [row])
            }
            #expect(try await database.rows(of: "settle.as_committed_a_b()") == ["(1)"])
            #expect(try await database.rollback("x") == "rolledBack []")
            _ = try await database.owner.query("SELECT settle.withdraw('a_b', 'a.b', '\(long)1', '\(long)2')")
        }
    }

    @Test func anAlwaysIdentityCannotBePutBackSoItIsNotChanged() async throws {
        let tables = """
            CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int);
            INSERT INTO t (n) VALUES (1); SELECT settle.enroll('t');
            """
        try await ATDatabase.with(tables) { database in
            #expect(try await refusal { try await database.at("x", "UPDATE t SET id = DEFAULT") } == "ST002")
            _ = try await database.owner.query("UPDATE t SET id = DEFAULT")
            try await database.at("x", "DELETE FROM t")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "t") == ["(3,1)"])
        }
    }
}
