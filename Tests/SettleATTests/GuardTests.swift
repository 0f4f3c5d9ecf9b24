import SettlePostgres
import Testing

/// Who else may write a row that an undecided transaction holds: nobody.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct GuardTests {
    @Test(arguments: [
        "UPDATE product SET available = 0 WHERE sku = 'tea'", "UPDATE product SET title = 'T' WHERE sku = 'tea'",
        "UPDATE product SET available = 0", "DELETE FROM product WHERE sku = 'tea'",
        "UPDATE product SET sku = 'x' WHERE sku = 'tea'",
        // Keys that the transaction has freed or taken.
        "INSERT INTO product VALUES ('cup', 'Cup', 1)", "UPDATE product SET sku = 'cup' WHERE sku = 'pot'",
        "INSERT INTO product VALUES ('pan', 'Pan', 1)", "UPDATE product SET sku = 'pan' WHERE sku = 'pot'",
        "DELETE FROM product WHERE sku = 'jug'", "UPDATE product SET title = 'x' WHERE sku = 'pen'",
        "INSERT INTO product VALUES ('tea', 'T', 1) ON CONFLICT (sku) DO UPDATE SET available = 0",
    ])
    func aHeldRowIsRefused(statement: String) async throws {
        let tables = RestoreTests.stock + "INSERT INTO product VALUES ('pan', 'Pan', 1);"
        try await ATDatabase.with(tables) { database in
            try await database.at(
                "x", "UPDATE product SET available = available - 1 WHERE sku = 'tea'",
                "DELETE FROM product WHERE sku = 'cup'",
                "INSERT INTO product VALUES ('jug', 'Jug', 1)", "UPDATE product SET sku = 'pen' WHERE sku = 'pan'")
            let before = try await database.rows(of: "product")
            #expect(try await refusal { _ = try await database.owner.query(statement) } == "ST001")
            #expect(try await refusal { _ = try await database.superuser.query(statement) } == "ST001")
            #expect(try await refusal { try await database.at("y", statement) } == "ST001")
            #expect(try await database.rows(of: "product") == before)
            #expect(try await database.text("SELECT count(*)::text FROM settle.undo_log WHERE xid <> 'x'") == "0")
        }
    }

    @Test func otherRowsAreFree() async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            try await database.at("x", "UPDATE product SET available = 1 WHERE sku = 'tea'")
            _ = try await database.owner.query("UPDATE product SET available = 5 WHERE sku = 'cup'")
            try await database.at("y", "UPDATE product SET available = 6 WHERE sku = 'pot'")
            _ = try await database.owner.query("INSERT INTO product VALUES ('jug', 'Jug', 7)")
            _ = try await database.owner.query("DELETE FROM product WHERE sku = 'jug'")
            #expect(try await database.rows(of: "product") == ["(cup,Cup,5)", "(pot,Pot,6)", "(tea,Tea,1)"])
        }
    }

    @Test func theRefusalSaysWhatIsHeldByWhom() async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            try await database.at("x", "UPDATE product SET available = 1 WHERE sku = 'tea'")
            let error = await #expect(throws: PostgresError.self) {
                _ = try await database.owner.query("UPDATE product SET available = 5")
            }
            #expect(error?.detail == #"public.product {"sku": "tea"} is held by x"#)
        }
    }

    @Test func truncateIsRefusedWhileRowsAreHeldAndInATransaction() async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            #expect(try await refusal { try await database.at("x", "TRUNCATE product") } == "ST002")
            try await database.at("x", "UPDATE product SET available = 1 WHERE sku = 'tea'")
            #expect(try await refusal { _ = try await database.owner.query("TRUNCATE product") } == "ST002")
            #expect(try await refusal { _ = try await database.superuser.query("TRUNCATE basket, product") } == "ST002")
            _ = try await database.owner.query("TRUNCATE basket")
            try await database.commit("x")
            #expect(
                try await refusal {
                    try await database.owner.transaction { transaction in
                        transaction.add("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                        transaction.add("TRUNCATE product")
                    }
                } == "ST002")
            _ = try await database.owner.query("TRUNCATE product")
        }
    }

    /// Its snapshot is older than the lock, so it cannot see it; a unique index has no snapshot.
    @Test(
        arguments: ["REPEATABLE READ", "SERIALIZABLE"],
        ["INSERT INTO product VALUES ('cup', '', 1)", "UPDATE product SET sku = 'cup' WHERE sku = 'pot'"])
    func anOldSnapshotDoesNotLetAWriterPast(isolation: String, statement: String) async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            for xid in ["", "y"] {
                let state = try await refusal {
                    try await database.owner.transaction { transaction in
                        transaction.add("SET TRANSACTION ISOLATION LEVEL \(isolation)")
                        transaction.add("SELECT set_config('settle.xid', '\(xid)', true)")
                        _ = try transaction.query("SELECT FROM basket")
                        try blocking { try await database.at("x", "DELETE FROM product WHERE sku = 'cup'") }
                        transaction.add(statement)
                    }
                }
                #expect(state == "40001")
                #expect(try await database.rollback("x") == "rolledBack []")
                #expect(try await database.isClean())
            }
        }
    }

    /// A generated key is not known before the row is stored.
    @Test func aKeyThatIsGeneratedOrSetByATriggerIsGuarded() async throws {
        let tables = """
            CREATE TABLE made (a int, k int GENERATED ALWAYS AS (a % 10) STORED PRIMARY KEY);
            CREATE TABLE upper (k text PRIMARY KEY, n int);
            CREATE FUNCTION raise_case() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.k := upper(NEW.k); RETURN NEW; END $$;
            CREATE TRIGGER zz BEFORE INSERT OR UPDATE ON upper FOR EACH ROW EXECUTE FUNCTION raise_case();
            INSERT INTO made VALUES (1); INSERT INTO upper VALUES ('a', 1);
            SELECT settle.enroll('made', 'upper');
            """
        try await ATDatabase.with(tables) { database in
            try await database.at("x", "DELETE FROM made", "DELETE FROM upper")
            #expect(try await refusal { _ = try await database.owner.query("INSERT INTO made VALUES (11)") } == "ST001")
            #expect(
                try await refusal { _ = try await database.owner.query("INSERT INTO upper VALUES ('a', 2)") } == "ST001"
            )
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "made") == ["(1,1)"])
            #expect(try await database.rows(of: "upper") == ["(A,1)"])
        }
    }

    @Test func aWriterNeedsNoRightsInTheSchemaAndGetsNoneByIt() async throws {
        try await ATDatabase.with(RestoreTests.stock + "GRANT SELECT, INSERT, UPDATE, DELETE ON product TO PUBLIC;") {
            database in
            try await database.with(role: "settle_at_clerk") { clerk in
                try await clerk.transaction { transaction in
                    transaction.add("SELECT set_config('settle.xid', 'x', true)")
                    transaction.add("UPDATE product SET available = 1 WHERE sku = 'tea'")
                }
                _ = try await clerk.query("UPDATE product SET available = 5 WHERE sku = 'cup'")
                #expect(try await refusal { _ = try await clerk.query("UPDATE product SET available = 5") } == "ST001")
                // What opens the guard for a rollback opens it for a rollback only.
                let forged = try await refusal {
                    try await clerk.transaction { transaction in
                        transaction.add("SELECT set_config('settle.xid', 'restore:x', true)")
                        transaction.add("UPDATE product SET available = 7 WHERE sku = 'tea'")
                    }
                }
                #expect(forged == "42501")
                for call in ["at_rollback('x')", "at_commit('{x}')", "at_dirty()", "withdraw('product')"] {
                    #expect(try await refusal { _ = try await clerk.query("SELECT * FROM settle.\(call)") } == "42501")
                }
            }
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "product") == ["(cup,Cup,5)", "(pot,Pot,30)", "(tea,Tea,20)"])
        }
    }

    /// The triggers run as the owner: a writer's search path must not bring his operators into them.
    @Test func aWritersSearchPathIsNotTrusted() async throws {
        let tables = """
            CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;
            CREATE FUNCTION evil.fail(a bigint, b bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
            CREATE FUNCTION evil.fail(a int, b int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
            CREATE FUNCTION evil.fail(a text, b text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
            CREATE OPERATOR evil.= (FUNCTION = evil.fail, LEFTARG = bigint, RIGHTARG = bigint);
            CREATE OPERATOR evil.= (FUNCTION = evil.fail, LEFTARG = int, RIGHTARG = int);
            CREATE OPERATOR evil.= (FUNCTION = evil.fail, LEFTARG = text, RIGHTARG = text);
            CREATE OPERATOR evil.<> (FUNCTION = evil.fail, LEFTARG = bigint, RIGHTARG = bigint);
            CREATE OPERATOR evil.<> (FUNCTION = evil.fail, LEFTARG = text, RIGHTARG = text);
            CREATE FUNCTION evil.to_jsonb(record) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
            CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
            CREATE TABLE thing (id int PRIMARY KEY, f float8, moments timestamptz[]);
            SELECT settle.enroll('thing');
            """
        try await ATDatabase.with(RestoreTests.stock + tables) { database in
            // Held rows, for an operator to be asked about.
            try await database.at("other", "INSERT INTO thing VALUES (9)", "UPDATE product SET available = 1")
            for xid in ["x", ""] {
                try await database.owner.transaction { transaction in
                    transaction.add("SELECT set_config('settle.xid', '\(xid)', true)")
                    transaction.add("SET LOCAL search_path = evil, public, pg_catalog")
                    for table in ["thing", "product"] {
                        let key = table == "thing" ? "id" : "sku"
                        transaction.add(
                            "INSERT INTO public.\(table) VALUES ('1', '1', '\(table == "thing" ? "{}" : "1")')")
                        transaction.add("UPDATE public.\(table) SET \(key) = '2' WHERE \(key) < '2'")
                        transaction.add("UPDATE public.\(table) SET \(key) = '2' WHERE \(key) < '3'")
                        transaction.add("DELETE FROM public.\(table) WHERE \(key) < '3'")
                    }
                }
                if xid == "x" { #expect(try await database.rollback("x") == "rolledBack []") }
            }
        }
    }
}
