import SettlePostgres
import Testing

/// Somebody with the power to do it changed a held row past the guard.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct DirtyRowTests {
    static let tables = """
        CREATE TABLE product (sku text PRIMARY KEY, title text, available int);
        INSERT INTO product VALUES ('cup', 'Cup', 10), ('tea', 'Tea', 20), ('pot', 'Pot', 30), ('pan', 'Pan', 40);
        SELECT settle.enroll('product');
        """

    /// Transaction x on all four: update, delete, insert, changed key. Then the rows are changed past the guard.
    private func dirtied(_ database: ATDatabase) async throws {
        try await database.at(
            "x", "UPDATE product SET available = 19 WHERE sku = 'tea'", "DELETE FROM product WHERE sku = 'cup'",
            "INSERT INTO product VALUES ('jug', 'Jug', 1)", "UPDATE product SET sku = 'wok' WHERE sku = 'pan'")
        try await database.pastTheGuard("UPDATE product SET title = 'T!', available = 5 WHERE sku = 'tea'")
        try await database.pastTheGuard("INSERT INTO product VALUES ('cup', 'Cup 2', 0)")
        try await database.pastTheGuard("DELETE FROM product WHERE sku = 'jug'")
        try await database.pastTheGuard("UPDATE product SET title = 'W' WHERE sku = 'wok'")
    }

    @Test func theRollbackStopsAndKeepsEverything() async throws {
        try await ATDatabase.with(Self.tables) { database in
            try await database.at(
                "x", "UPDATE product SET available = 19 WHERE sku = 'tea'",
                "UPDATE product SET available = 9 WHERE sku = 'cup'")
            try await database.pastTheGuard("UPDATE product SET title = 'T!' WHERE sku = 'tea'")
            let (rows, log) = try await (database.rows(of: "product"), database.rows(of: "settle.undo_log"))
            for _ in 1...2 {
                #expect(try await database.rollback("x") == #"dirty [{"key": {"sku": "tea"}, "table": "product"}]"#)
            }
            #expect(try await database.rows(of: "product") == rows)
            #expect(try await database.rows(of: "settle.undo_log") == log)
            #expect(
                try await refusal { _ = try await database.owner.query("DELETE FROM product WHERE sku = 'cup'") }
                    == "ST001")
            #expect(
                try await database.text("SELECT string_agg(xid || reason, ',') FROM settle.rollback_blocked")
                    == "xrows were changed past the guard")
            let listed = """
                SELECT concat_ws(' ', xid, "table", key, before->>'title', before->>'available', after->>'title', after->>'available',
                    now->>'title', now->>'available', changed, differs, choice) FROM settle.at_dirty()
                """
            #expect(try await database.owner.query(listed).count == 1)
            #expect(try await database.text(listed) == #"x product {"sku": "tea"} Tea 20 Tea 19 T! 19 {available} t"#)
        }
    }

    @Test func anotherTransactionsRollbackIsNotHeldUp() async throws {
        try await ATDatabase.with(Self.tables) { database in
            try await database.at("x", "UPDATE product SET available = 19 WHERE sku = 'tea'")
            try await database.at("y", "UPDATE product SET available = 9 WHERE sku = 'cup'")
            try await database.pastTheGuard("UPDATE product SET title = 'T!' WHERE sku = 'tea'")
            let outcomes = try await database.text(
                "SELECT string_agg(outcome, ' ' ORDER BY xid) FROM unnest('{x,y}'::text[]) xid, settle.at_rollback(xid)"
            )
            #expect(outcomes == "dirty rolledBack")
        }
    }

    @Test(arguments: [
        ("restore", ["(cup,Cup,10)", "(pan,Pan,40)", "(pot,Pot,30)", "(tea,Tea,20)"]),
        ("keep", ["(cup,\"Cup 2\",0)", "(pan,Pan,40)", "(pot,Pot,30)", "(tea,T!,5)", "(wok,W,40)"]),
        ("restore-changed", ["(cup,Cup,10)", "(pan,Pan,40)", "(pot,Pot,30)", "(tea,T!,20)"]),
    ])
    func anOperatorChoosesForEachRow(choice: String, expected: [String]) async throws {
        try await ATDatabase.with(Self.tables) { database in
            try await dirtied(database)
            #expect(try await database.rollback("x").hasPrefix("dirty"))
            let keys = try await database.owner.query("SELECT key::text FROM settle.at_dirty() ORDER BY 1").map {
                try $0.decode(String.self, at: 0)
            }
            #expect(keys == [#"{"sku": "cup"}"#, #"{"sku": "jug"}"#, #"{"sku": "tea"}"#, #"{"sku": "wok"}"#])
            for key in keys {
                let outcome = try await database.text(
                    "SELECT outcome FROM settle.at_resolve('x', 'product', $1::jsonb, $2)", [.text(key), .text(choice)])
                #expect(outcome == (key == keys.last ? "rolledBack" : "dirty"))
            }
            #expect(try await database.rows(of: "product") == expected)
            #expect(try await database.isClean())
            #expect(try await database.text("SELECT count(*)::text FROM settle.rollback_blocked") == "0")
            #expect(try await database.text("SELECT count(*)::text FROM settle.rollback_choice") == "0")
        }
    }

    /// What was chosen stays, though a trigger of the table acts on it while its neighbours are put back, and a row may
    /// come back that others refer to.
    @Test func aChoiceHoldsAgainstTriggersAndForeignKeys() async throws {
        let tables = """
            CREATE TABLE node (id int PRIMARY KEY, parent int REFERENCES node, n int);
            INSERT INTO node VALUES (1, NULL, 0), (2, 1, 0), (3, 1, 0);
            CREATE FUNCTION spread() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN UPDATE node SET n = n + 100 WHERE id = 2; RETURN NULL; END $$;
            CREATE TRIGGER spread AFTER INSERT ON node FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION spread();
            SELECT settle.enroll('node');
            """
        try await ATDatabase.with(tables) { database in
            try await database.at("x", "UPDATE node SET n = 1 WHERE id = 2", "DELETE FROM node WHERE id IN (3)")
            try await database.at("x", "UPDATE node SET parent = NULL", "DELETE FROM node WHERE id = 1")
            try await database.pastTheGuard("INSERT INTO node VALUES (1, NULL, 9)")
            try await database.pastTheGuard("UPDATE node SET n = 5 WHERE id = 2")
            try await database.pastTheGuard("DELETE FROM node WHERE id = 1")
            #expect(try await database.rollback("x").hasPrefix("dirty"))
            let outcome = try await database.text(
                #"SELECT outcome FROM settle.at_resolve('x', 'node', '{"id": 2}', 'restore-changed')"#)
            #expect(outcome == "rolledBack")
            #expect(try await database.rows(of: "node") == ["(1,,0)", "(2,1,0)", "(3,1,0)"])
        }
        try await ATDatabase.with(tables) { database in
            try await database.at("x", "UPDATE node SET parent = NULL", "DELETE FROM node WHERE id <> 2")
            try await database.pastTheGuard("UPDATE node SET n = 5 WHERE id = 2")
            #expect(try await database.rollback("x").hasPrefix("dirty"))
            let outcome = try await database.text(
                #"SELECT outcome FROM settle.at_resolve('x', 'node', '{"id": 2}', 'keep')"#)
            #expect(outcome == "rolledBack")
            #expect(try await database.rows(of: "node") == ["(1,,0)", "(2,,5)", "(3,1,0)"])
        }
    }

    @Test func aRowThatIsGoneAndChoicesThatMakeNoSense() async throws {
        try await ATDatabase.with(Self.tables) { database in
            try await database.at("x", "UPDATE product SET available = 19 WHERE sku = 'tea'")
            func resolve(_ xid: String, _ sku: String, _ choice: String) async throws {
                _ = try await database.owner.query(
                    "SELECT settle.at_resolve($1, 'product', jsonb_build_object('sku', $2::text), $3)",
                    [.text(xid), .text(sku), .text(choice)])
            }
            #expect(
                try await refusal { try await resolve("x", "tea", "keep") } == "P0002",
                "nobody has asked to roll it back")
            try await database.pastTheGuard("DELETE FROM product WHERE sku = 'tea'")
            try await database.rollback("x")
            #expect(try await refusal { try await resolve("x", "tea", "restore-changed") } == "22023")
            #expect(try await refusal { try await resolve("x", "tea", "nonsense") } == "23514")
            #expect(try await refusal { try await resolve("x", "cup", "keep") } == "P0002")
            try await resolve("x", "tea", "restore")
            #expect(try await database.text("SELECT available::text FROM product WHERE sku = 'tea'") == "20")
            #expect(try await database.isClean())
        }
    }

    /// 1.0 is 1.00 for a comparison, but it is not what the transaction left.
    @Test func aDifferenceThatEqualityDoesNotSeeIsSeen() async throws {
        let tables =
            "CREATE TABLE t (id int PRIMARY KEY, n numeric, c text); INSERT INTO t VALUES (1, 1.0, 'a'); SELECT settle.enroll('t');"
        try await ATDatabase.with(tables) { database in
            try await database.at("x", "UPDATE t SET c = 'b'")
            try await database.pastTheGuard("UPDATE t SET n = 1.00")
            #expect(try await database.rollback("x").hasPrefix("dirty"))
            try await database.pastTheGuard("UPDATE t SET n = 1.0")
            #expect(try await database.rollback("x") == "rolledBack []")
        }
    }

    /// The table was altered, or dropped, in the time between: nothing is guessed, and the list still works.
    @Test func aTableThatWasAlteredOrDropped() async throws {
        try await ATDatabase.with(Self.tables) { database in
            try await database.at("x", "UPDATE product SET available = 19 WHERE sku = 'tea'")
            _ = try await database.owner.query("ALTER TABLE product ADD COLUMN note text DEFAULT 'new'")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.text("SELECT p::text FROM product p WHERE sku = 'tea'") == "(tea,Tea,20,new)")
            try await database.at("x", "UPDATE product SET title = 'no number' WHERE sku = 'tea'")
            _ = try await database.owner.query("ALTER TABLE product ALTER title TYPE int USING 0")
            #expect(try await database.rollback("x") == "dirty []")
            #expect(try await database.text("SELECT before->>'title' FROM settle.at_dirty()") == "Tea")
            _ = try await database.owner.query("DROP TABLE product CASCADE")
            #expect(try await database.rollback("x") == "dirty []")
            #expect(try await database.text("SELECT before->>'title' FROM settle.at_dirty()") == "Tea")
        }
    }
}
