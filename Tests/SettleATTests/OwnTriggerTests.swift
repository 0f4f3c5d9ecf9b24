import SettlePostgres
import Testing

/// Tables that have triggers of their own.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct OwnTriggerTests {
    @Test func aBeforeTriggerDoesNotTouchWhatIsPutBack() async throws {
        let tables = """
            CREATE TABLE t (id int PRIMARY KEY, n int, at timestamptz, f float8);
            CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); NEW.n := NEW.n * 2; RETURN NEW; END $$;
            INSERT INTO t VALUES (1, 1, '2001-01-01', 0.1), (2, 2, '2002-02-02', -0.0);
            CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
            SELECT settle.enroll('t');
            """
        try await ATDatabase.with(tables) { database in
            let before = try await database.rows(of: "t")
            try await database.at("x", "UPDATE t SET n = 5 WHERE id = 1", "DELETE FROM t WHERE id = 2")
            #expect(try await database.text("SELECT n || ' ' || (at > '2010-01-01') FROM t") == "10 true")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "t") == before)
        }
    }

    /// A sum kept by a trigger: noted when it changed, and changed again by what is put back.
    @Test(arguments: ["aa_first", "zz_last"])
    func aTriggerThatKeepsASumInAnotherTable(name: String) async throws {
        let tables = """
            CREATE TABLE total (id int PRIMARY KEY, sum int);
            CREATE TABLE line (id int PRIMARY KEY, total int REFERENCES total, n int);
            CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                UPDATE total SET sum = sum + coalesce(NEW.n, 0) - coalesce(OLD.n, 0) WHERE id = coalesce(NEW.total, OLD.total);
                RETURN NULL;
            END $$;
            CREATE TRIGGER \(name) AFTER INSERT OR UPDATE OR DELETE ON line FOR EACH ROW EXECUTE FUNCTION add();
            INSERT INTO total VALUES (1, 0), (2, 0); INSERT INTO line VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);
            SELECT settle.enroll('total', 'line');
            """
        try await ATDatabase.with(tables) { database in
            let before = try await (database.rows(of: "total"), database.rows(of: "line"))
            try await database.at(
                "x", "INSERT INTO line VALUES (4, 1, 5)", "UPDATE line SET n = n + 1",
                "DELETE FROM line WHERE total = 2")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "total") == before.0)
            #expect(try await database.rows(of: "line") == before.1)
        }
    }

    /// A trigger that was added later and changes what is put back: nobody's data is guessed.
    @Test func aTriggerThatInsistsMakesTheRollbackStop() async throws {
        let tables = """
            CREATE TABLE t (id int PRIMARY KEY, n int);
            INSERT INTO t VALUES (1, 1); SELECT settle.enroll('t');
            CREATE FUNCTION force() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := 99; RETURN NEW; END $$;
            CREATE TRIGGER force BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION force();
            """
        try await ATDatabase.with(tables) { database in
            try await database.at("x", "UPDATE t SET n = 2")
            #expect(try await database.rollback("x") == "dirty []")
            #expect(
                try await database.text("SELECT reason FROM settle.at_dirty()")
                    == "triggers of the tables change what is put back")
            #expect(try await database.rows(of: "t") == ["(1,99)"])
            _ = try await database.owner.query("SELECT settle.enroll('t')")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "t") == ["(1,1)"])
        }
    }

    /// A trigger that would write rows which the transaction never touched.
    @Test func whatARestoreWouldDoToOtherRowsMakesItStop() async throws {
        let tables = """
            CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE other (id int PRIMARY KEY);
            INSERT INTO t VALUES (1, 1); INSERT INTO other VALUES (1);
            CREATE FUNCTION spill() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.n = 1 AND NOT settle.is_restoring() IS NULL THEN DELETE FROM other; END IF; RETURN NULL; END $$;
            CREATE TRIGGER spill AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION spill();
            SELECT settle.enroll('t', 'other');
            """
        try await ATDatabase.with(tables) { database in
            try await database.at("x", "UPDATE t SET n = 2")
            #expect(try await database.rollback("x") == "dirty []")
            #expect(try await database.rows(of: "other") == ["(1)"])
            #expect(try await database.rows(of: "t") == ["(1,2)"])
            #expect(try await database.text("SELECT count(DISTINCT xid)::text FROM settle.undo_log") == "1")
        }
    }

    @Test func aTriggerCanAskWhetherItIsARollback() async throws {
        let tables = """
            CREATE TABLE t (id int PRIMARY KEY, gone boolean DEFAULT false);
            CREATE TABLE audit (line text);
            CREATE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF settle.is_restoring() THEN RETURN OLD; END IF;
                UPDATE t SET gone = true WHERE id = OLD.id;
                INSERT INTO audit VALUES (OLD.id); RETURN NULL;
            END $$;
            CREATE TRIGGER hide BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION hide();
            INSERT INTO t VALUES (1); SELECT settle.enroll('t');
            """
        try await ATDatabase.with(tables) { database in
            try await database.at("x", "INSERT INTO t VALUES (2)", "DELETE FROM t")
            #expect(try await database.rows(of: "t") == ["(1,t)", "(2,t)"])
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "t") == ["(1,f)"])
            #expect(try await database.rows(of: "audit") == ["(1)", "(2)"])
        }
    }
}
