import SettlePostgres
import Testing

/// Rows that refer to each other come back in an order that their foreign keys allow.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct ForeignKeyTests {
    static func tables(onDelete: String, onUpdate: String, check: String = "") -> String {
        """
        CREATE TABLE orders (id int PRIMARY KEY, note text UNIQUE);
        CREATE TABLE line (
            id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE \(onDelete) ON UPDATE \(onUpdate) \(check), n int);
        CREATE TABLE part (
            id int PRIMARY KEY, parent int REFERENCES part ON DELETE \(onDelete) ON UPDATE \(onUpdate) \(check));
        INSERT INTO orders SELECT i, 'note ' || i FROM generate_series(1, 5) AS i;
        INSERT INTO line SELECT i, 1 + i % 5, i FROM generate_series(1, 20) AS i;
        INSERT INTO part SELECT i, nullif(i / 2, 0) FROM generate_series(1, 15) AS i;
        SELECT settle.enroll('orders', 'line', 'part');
        """
    }

    @Test(arguments: [
        ["INSERT INTO orders VALUES (9, 'n')", "INSERT INTO line VALUES (90, 9, 1), (91, 9, 1)"],
        ["DELETE FROM line WHERE order_id = 2", "DELETE FROM orders WHERE id = 2"],
        ["DELETE FROM line", "DELETE FROM orders", "INSERT INTO orders VALUES (1, 'new')"],
        // Parents and children in one statement, in both orders of their rows.
        ["DELETE FROM part"], ["INSERT INTO part VALUES (100, 101), (101, 102), (102, NULL)"],
        ["INSERT INTO part VALUES (102, NULL), (101, 102), (100, 101)", "UPDATE part SET parent = 100 WHERE id = 7"],
        ["UPDATE line SET order_id = 1", "DELETE FROM orders WHERE id > 1", "UPDATE orders SET note = 'note 3'"],
    ])
    func inTheRightOrder(statements: [String]) async throws {
        try await check(Self.tables(onDelete: "NO ACTION", onUpdate: "NO ACTION"), statements)
        try await check(
            Self.tables(onDelete: "NO ACTION", onUpdate: "NO ACTION", check: "DEFERRABLE INITIALLY DEFERRED"),
            statements)
    }

    @Test(arguments: ["CASCADE", "SET NULL"])
    func whatACascadeDidIsUndoneToo(action: String) async throws {
        let tables = Self.tables(onDelete: action, onUpdate: action)
        try await check(tables, ["DELETE FROM orders WHERE id IN (1, 2)"])
        try await check(tables, ["UPDATE orders SET id = id + 100"])
        try await check(tables, ["DELETE FROM part WHERE id = 1"])
        try await check(
            tables,
            ["INSERT INTO orders VALUES (9)", "INSERT INTO line VALUES (90, 9)", "DELETE FROM orders WHERE id = 9"])
        try await check(
            tables,
            [
                "UPDATE orders SET id = 50 WHERE id = 1", "INSERT INTO orders VALUES (1, 'x')",
                "UPDATE line SET order_id = 1",
            ])
    }

    @Test func rowsThatReferToEachOtherInACircle() async throws {
        let tables = """
            CREATE TABLE a (id int PRIMARY KEY, b int);
            CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a DEFERRABLE);
            ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE INITIALLY DEFERRED;
            INSERT INTO a VALUES (1, NULL); INSERT INTO b VALUES (1, 1); UPDATE a SET b = 1;
            SELECT settle.enroll('a', 'b');
            """
        try await ATDatabase.with(tables) { database in
            try await database.at("x", "SET CONSTRAINTS ALL DEFERRED", "DELETE FROM a", "DELETE FROM b")
            try await database.at("x", "INSERT INTO a VALUES (2, 2)", "INSERT INTO b VALUES (2, 2)")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "a") == ["(1,1)"])
            #expect(try await database.rows(of: "b") == ["(1,1)"])
        }
    }

    /// Somebody else has come to depend on a row that the rollback must delete.
    @Test(arguments: ["NO ACTION", "CASCADE"])
    func rowsOfOthersAreNeverTakenAlong(action: String) async throws {
        try await ATDatabase.with(Self.tables(onDelete: action, onUpdate: action)) { database in
            try await database.at(
                "x", "UPDATE orders SET note = 'changed' WHERE id = 1", "INSERT INTO orders VALUES (9, 'n')")
            _ = try await database.owner.query("INSERT INTO line VALUES (90, 9, 1)")
            #expect(try await database.rollback("x") == "dirty []")
            #expect(try await database.text("SELECT count(*)::text FROM line WHERE id = 90") == "1")
            #expect(try await database.text("SELECT note FROM orders WHERE id = 1") == "changed")
            #expect(
                try await database.text("SELECT count(DISTINCT key)::text FROM settle.at_dirty() WHERE NOT differs")
                    == "2")
            // The next try passes once the cause is gone.
            _ = try await database.owner.query("DELETE FROM line WHERE id = 90")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.text("SELECT note FROM orders WHERE id = 1") == "note 1")
            #expect(try await database.text("SELECT count(*)::text FROM settle.at_dirty()") == "0")
            #expect(try await database.isClean())
        }
    }

    private func check(_ tables: String, _ statements: [String]) async throws {
        try await ATDatabase.with(tables) { database in
            let before = try await all(database)
            try await database.owner.transaction { transaction in
                transaction.add("SELECT set_config('settle.xid', 'x', true)")
                for statement in statements { transaction.add(statement) }
            }
            #expect(try await !database.isClean())
            #expect(try await database.rollback("x") == "rolledBack []", "\(statements)")
            #expect(try await all(database) == before, "\(statements)")
            #expect(try await database.isClean())
        }
    }

    private func all(_ database: ATDatabase) async throws -> [String] {
        try await database.rows(of: "orders") + database.rows(of: "line") + database.rows(of: "part")
    }
}
