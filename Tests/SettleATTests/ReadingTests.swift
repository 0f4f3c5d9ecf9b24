import SettlePostgres
import Testing

/// Reading as if undecided transactions had not happened. That it is so for every kind of change, `RestoreTests` and
/// `ExactTypesTests` look at; that a transaction is seen whole, `RaceTests`.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct ReadingTests {
    @Test func whatIsUndecidedIsSeenByItsOwnTransactionOnly() async throws {
        try await ATDatabase.with(RestoreTests.stock) { database in
            let before = try await database.rows(of: "product")
            try await database.at(
                "x", "UPDATE product SET available = 19 WHERE sku = 'tea'", "DELETE FROM product WHERE sku = 'pot'")
            try await database.at("y", "INSERT INTO product VALUES ('jug', 'Jug', 1)")
            for reader in ["as_committed(NULL::product)", "as_committed_product()"] {
                let seen = try await database.rows(of: "settle." + reader)
                #expect(seen == before)
                let (own, others) = try await database.owner.transaction { transaction in
                    transaction.add("SELECT set_config('settle.xid', 'x', true)")
                    let sum = "SELECT string_agg(sku || available, ' ' ORDER BY sku) FROM settle.\(reader)"
                    let own = try transaction.query(sum)
                    transaction.add("SELECT set_config('settle.xid', 'z', true)")
                    return (own, try transaction.query(sum))
                }
                #expect(try own.first?.decode(String.self, at: 0) == "cup10 tea19")
                #expect(try others.first?.decode(String.self, at: 0) == "cup10 pot30 tea20")
            }
            try await database.commit("x")
            try await database.rollback("y")
            #expect(
                try await database.rows(of: "settle.as_committed(NULL::product)") == ["(cup,Cup,10)", "(tea,Tea,19)"])
        }
    }

    /// A big table is not read whole for one row.
    @Test func theTablesOwnReaderUsesItsIndexes() async throws {
        let tables = """
            CREATE TABLE big (id int PRIMARY KEY, name text COLLATE "C" UNIQUE, half int GENERATED ALWAYS AS (id / 2) STORED);
            INSERT INTO big SELECT i, 'name ' || i FROM generate_series(1, 50000) AS i;
            ANALYZE big;
            SELECT settle.enroll('big');
            """
        try await ATDatabase.with(tables) { database in
            try await database.at(
                "x", "UPDATE big SET name = 'changed', id = 0 WHERE id = 7", "DELETE FROM big WHERE id = 8")
            for (condition, expected) in [
                ("id = 7", "(7,\"name 7\",3)"), ("name = 'name 8'", "(8,\"name 8\",4)"), ("id = 9", "(9,\"name 9\",4)"),
            ] {
                let query = "settle.as_committed_big() AS whole WHERE \(condition)"
                let row = try await database.text("SELECT whole::text FROM " + query)
                #expect(row == expected)
                let plan = try await database.owner.query("EXPLAIN SELECT * FROM \(query)").map {
                    try $0.decode(String.self, at: 0)
                }
                #expect(plan.contains { $0.contains("Index") && $0.contains("on big") }, "\(plan)")
                #expect(!plan.contains { $0.contains("Seq Scan on big") || $0.contains("Function Scan") }, "\(plan)")
            }
            #expect(try await database.text("SELECT count(*)::text FROM settle.as_committed_big() WHERE id = 0") == "0")
        }
    }

    @Test func aTableThatIsNotEnrolledIsAnError() async throws {
        try await ATDatabase.with("CREATE TABLE t (id int PRIMARY KEY)") { database async throws in
            #expect(
                try await refusal { _ = try await database.owner.query("SELECT * FROM settle.as_committed(NULL::t)") }
                    == "42P01")
        }
    }
}
