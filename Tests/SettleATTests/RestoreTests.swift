import SettlePostgres
import Testing

/// What a rollback puts back, whatever SQL changed it.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct RestoreTests {
    static let stock = """
        CREATE TABLE product (sku text PRIMARY KEY, title text NOT NULL, available bigint NOT NULL CHECK (available >= 0));
        CREATE TABLE basket (place int, bin text, sku text, amount numeric, PRIMARY KEY (place, bin));
        INSERT INTO product VALUES ('cup', 'Cup', 10), ('tea', 'Tea', 20), ('pot', 'Pot', 30);
        INSERT INTO basket VALUES (1, 'a', 'cup', 1.50), (1, 'b', 'tea', NULL), (2, 'a', 'pot', 3);
        SELECT settle.enroll('product', 'basket');
        """

    @Test(arguments: [
        ["UPDATE product SET available = available - 1 WHERE sku = 'tea'"],
        ["INSERT INTO product VALUES ('jug', 'Jug', 1)"],
        ["DELETE FROM product WHERE sku = 'tea'"],
        [
            "UPDATE product SET available = available + 1", "DELETE FROM basket",
            "INSERT INTO basket VALUES (9, 'z', 'jug', 0)",
        ],
        ["UPDATE product SET sku = 'mug' WHERE sku = 'cup'"],
        ["UPDATE basket SET place = place + 5, bin = bin || '!'"],
        [
            "UPDATE basket SET amount = amount + 1", "UPDATE basket SET place = 7 WHERE place = 2",
            "DELETE FROM basket WHERE place = 7",
        ],
        ["UPDATE product SET available = 1 WHERE sku = 'tea'", "UPDATE product SET available = 2 WHERE sku = 'tea'"],
        ["INSERT INTO product VALUES ('jug', 'Jug', 1)", "UPDATE product SET title = 'J' WHERE sku = 'jug'"],
        ["INSERT INTO product VALUES ('jug', 'Jug', 1)", "DELETE FROM product WHERE sku = 'jug'"],
        ["DELETE FROM product WHERE sku = 'tea'", "INSERT INTO product VALUES ('tea', 'Other', 1)"],
        [
            "DELETE FROM product WHERE sku = 'tea'", "INSERT INTO product VALUES ('tea', 'Other', 1)",
            "UPDATE product SET sku = 'x' WHERE sku = 'tea'", "UPDATE product SET sku = 'tea' WHERE sku = 'cup'",
        ],
        [
            "UPDATE product SET sku = 'tmp' WHERE sku = 'cup'", "UPDATE product SET sku = 'cup' WHERE sku = 'tea'",
            "UPDATE product SET sku = 'tea' WHERE sku = 'tmp'",
        ],
        [
            """
            WITH gone AS (DELETE FROM basket WHERE place = 1 RETURNING sku)
            UPDATE product p SET available = p.available - 1 FROM gone WHERE gone.sku = p.sku
            """
        ],
        ["INSERT INTO product VALUES ('tea', 'T', 5) ON CONFLICT (sku) DO UPDATE SET available = excluded.available"],
        [
            """
            MERGE INTO product p USING (VALUES ('tea', 1), ('jug', 2)) AS v(sku, n) ON p.sku = v.sku
            WHEN MATCHED THEN UPDATE SET available = v.n WHEN NOT MATCHED THEN INSERT VALUES (v.sku, 'new', v.n)
            """
        ],
        ["DO $$ BEGIN FOR i IN 1..5 LOOP UPDATE product SET available = available - 1; END LOOP; END $$"],
    ])
    func putsBackAllThatStatementsChanged(statements: [String]) async throws {
        try await ATDatabase.with(Self.stock) { database in
            let before = try await (database.rows(of: "product"), database.rows(of: "basket"))
            try await database.owner.transaction { transaction in
                transaction.add("SELECT set_config('settle.xid', 'x', true)")
                for statement in statements { transaction.add(statement) }
            }
            #expect(try await !database.isClean())
            #expect(try await database.rows(of: "settle.as_committed(NULL::product)") == before.0)
            #expect(try await database.rows(of: "settle.as_committed(NULL::basket)") == before.1)
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "product") == before.0)
            #expect(try await database.rows(of: "basket") == before.1)
            #expect(try await database.isClean())
        }
    }

    @Test func commitKeepsWhatWasDoneAndFreesTheRows() async throws {
        try await ATDatabase.with(Self.stock) { database in
            try await database.at("x", "UPDATE product SET available = 1 WHERE sku = 'tea'")
            try await database.at("y", "UPDATE product SET available = 2 WHERE sku = 'cup'")
            try await database.at("z", "UPDATE product SET available = 3 WHERE sku = 'pot'")
            try await database.commit("x", "y", "unknown")
            #expect(try await database.rows(of: "settle.row_lock") == [#"(product,"{""sku"": ""pot""}",z)"#])
            #expect(try await database.rows(of: "product") == ["(cup,Cup,2)", "(pot,Pot,3)", "(tea,Tea,1)"])
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.text("SELECT available::text FROM product WHERE sku = 'tea'") == "1")
        }
    }

    @Test func aBranchInSeveralSessionsIsUndoneAsOne() async throws {
        try await ATDatabase.with(Self.stock) { database in
            let before = try await database.rows(of: "product")
            for _ in 1...5 { try await database.at("x", "UPDATE product SET available = available + 1") }
            try await database.at("x", "DELETE FROM product WHERE sku = 'tea'")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "product") == before)
            #expect(try await database.rollback("x") == "rolledBack []")
        }
    }

    /// A unique key is looked at after each row, so the order within a statement matters on the way back, too.
    @Test func uniqueKeysThatWereSwappedOrShiftedComeBack() async throws {
        let tables = """
            CREATE TABLE seat (id int PRIMARY KEY, place int NOT NULL UNIQUE);
            INSERT INTO seat SELECT n, n FROM generate_series(1, 50) AS n ORDER BY n DESC;
            SELECT settle.enroll('seat');
            """
        try await ATDatabase.with(tables) { database in
            let before = try await database.rows(of: "seat")
            try await database.at(
                "x", "UPDATE seat SET place = place + 1", "UPDATE seat SET place = 0 WHERE id = 1",
                "UPDATE seat SET place = 2 WHERE id = 50", "UPDATE seat SET place = 51 WHERE id = 1")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "seat") == before)
        }
    }

    @Test func tenThousandRowsComeBack() async throws {
        let tables = """
            CREATE TABLE many (id int PRIMARY KEY, n int);
            INSERT INTO many SELECT n, n FROM generate_series(1, 10000) AS n;
            SELECT settle.enroll('many');
            """
        try await ATDatabase.with(tables) { database in
            let sum = "SELECT count(*) || ' ' || sum(n * id::bigint) FROM many"
            let before = try await database.text(sum)
            try await database.at("x", "UPDATE many SET n = n + 1", "DELETE FROM many WHERE id % 2 = 0")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.text(sum) == before)
        }
    }
}
