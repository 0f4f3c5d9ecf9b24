import SettlePostgres
import Testing

/// What an undo will need is held beside the rows: nobody else takes a value that was freed, or a row that will be
/// referred to again.
@Suite(.enabled(if: ATDatabase.isAvailable))
struct HoldTests {
    private static let seats = """
        CREATE TABLE seat (
            id int PRIMARY KEY, place int UNIQUE, bin text, owner text, gone boolean NOT NULL DEFAULT false,
            UNIQUE (bin, owner), code numeric);
        CREATE UNIQUE INDEX by_owner ON seat (lower(owner)) WHERE NOT gone;
        CREATE UNIQUE INDEX by_code ON seat (code) INCLUDE (bin);
        INSERT INTO seat VALUES (1, 1, 'a', 'Ann', false, 1.0), (2, 2, 'a', 'Bob', false, 2.0), (3, NULL, NULL, 'Cy', true, NULL);
        SELECT settle.enroll('seat');
        """

    @Test(arguments: [
        ("UPDATE seat SET place = 9 WHERE id = 1", "INSERT INTO seat (id, place) VALUES (4, 1)"),
        ("UPDATE seat SET place = 9 WHERE id = 1", "UPDATE seat SET place = 1 WHERE id = 2"),
        ("DELETE FROM seat WHERE id = 1", "UPDATE seat SET bin = 'a', owner = 'Ann' WHERE id = 3"),
        ("UPDATE seat SET owner = 'Al' WHERE id = 1", "UPDATE seat SET owner = 'ANN', gone = false WHERE id = 3"),
        ("UPDATE seat SET gone = true WHERE id = 1", "INSERT INTO seat (id, owner) VALUES (4, 'ann')"),
        ("UPDATE seat SET code = NULL WHERE id = 1", "INSERT INTO seat (id, code) VALUES (4, 1.00)"),
        ("UPDATE seat SET id = 7, place = 8 WHERE id = 1", "INSERT INTO seat (id, place) VALUES (4, 1)"),
    ])
    func aFreedValueIsNobodyElses(freeing: String, taking: String) async throws {
        try await ATDatabase.with(Self.seats) { database in
            let before = try await database.rows(of: "seat")
            try await database.at("x", freeing)
            #expect(try await refusal { _ = try await database.owner.query(taking) } == "ST001")
            #expect(try await refusal { try await database.at("y", taking) } == "ST001")
            for isolation in ["REPEATABLE READ", "SERIALIZABLE"] {
                let state = try await refusal {
                    try await database.owner.transaction { transaction in
                        transaction.add("SET TRANSACTION ISOLATION LEVEL \(isolation)")
                        transaction.add(taking)
                    }
                }
                #expect(state == "ST001")
            }
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "seat") == before)
            #expect(try await database.isClean())
            // And once it is decided, it is anybody's.
            try await database.at("x", freeing)
            try await database.commit("x")
            #expect(try await database.isClean())
            _ = try await database.owner.query(taking)
        }
    }

    @Test func theTransactionItselfAndOthersElsewhereAreFree() async throws {
        try await ATDatabase.with(Self.seats) { database in
            let before = try await database.rows(of: "seat")
            try await database.at("x", "UPDATE seat SET place = 9 WHERE id = 1")
            try await database.at(
                "x", "INSERT INTO seat (id, place) VALUES (4, 1)", "UPDATE seat SET place = 5 WHERE id = 4",
                "DELETE FROM seat WHERE id = 1")
            _ = try await database.owner.query("UPDATE seat SET place = 77, owner = 'Bert' WHERE id = 2")
            _ = try await database.owner.query("UPDATE seat SET place = 2, owner = 'Bob' WHERE id = 2")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "seat") == before)
        }
    }

    /// Its snapshot is older than the hold, so it cannot see it.
    @Test func anOldSnapshotDoesNotLetAWriterPast() async throws {
        try await ATDatabase.with(Self.seats) { database in
            let state = try await refusal {
                try await database.owner.transaction { transaction in
                    transaction.add("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    _ = try transaction.query("SELECT FROM seat")
                    try blocking { try await database.at("x", "UPDATE seat SET place = 9 WHERE id = 1") }
                    transaction.add("INSERT INTO seat (id, place) VALUES (4, 1)")
                }
            }
            #expect(state == "40001")
            #expect(try await database.rollback("x") == "rolledBack []")
        }
    }

    /// A parent of a deleted row, of one that was moved elsewhere, of one whose own key has changed, in a table that is not
    /// enrolled, with two columns.
    @Test(arguments: ["NO ACTION", "CASCADE", "SET NULL"], [false, true])
    func whatWillBeReferredToAgainStays(action: String, parentIsEnrolled: Bool) async throws {
        let tables = """
            CREATE TABLE shelf (room int, place bigint, note text, UNIQUE (room, place), id int PRIMARY KEY);
            CREATE TABLE box (id int PRIMARY KEY, room int, place int,
                FOREIGN KEY (room, place) REFERENCES shelf (room, place) ON DELETE \(action) ON UPDATE \(action));
            INSERT INTO shelf SELECT 1, i, 'n', i FROM generate_series(1, 6) AS i;
            INSERT INTO box SELECT i, 1, i FROM generate_series(1, 4) AS i;
            SELECT settle.enroll(\(parentIsEnrolled ? "'shelf', 'box'" : "'box'"));
            """
        try await ATDatabase.with(tables) { database in
            let before = try await database.rows(of: "box")
            try await database.at(
                "x", "DELETE FROM box WHERE id = 1", "UPDATE box SET place = 5 WHERE id = 2",
                "UPDATE box SET id = 33, place = NULL WHERE id = 3", "UPDATE box SET room = room")
            for place in 1...3 {
                for statement in [
                    "DELETE FROM shelf WHERE place = \(place)", "UPDATE shelf SET place = 100 WHERE place = \(place)",
                ] {
                    #expect(try await refusal { _ = try await database.owner.query(statement) } == "23503")
                }
            }
            _ = try await database.owner.query("UPDATE shelf SET note = 'x', place = place")
            _ = try await database.owner.query("DELETE FROM shelf WHERE place = 6")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "box") == before)
            #expect(try await database.isClean())
            try await database.at("x", "DELETE FROM box WHERE id = 1")
            try await database.commit("x")
            #expect(try await database.isClean())
            _ = try await database.owner.query("DELETE FROM shelf WHERE place = 1")
        }
    }

    /// Two may need one parent, and neither may take it away; each may take its own.
    @Test func aParentIsHeldByAllWhoNeedIt() async throws {
        let tables = ForeignKeyTests.tables(onDelete: "NO ACTION", onUpdate: "NO ACTION")
        try await ATDatabase.with(tables) { database in
            let before = try await database.rows(of: "line")
            try await database.at("x", "DELETE FROM line WHERE id IN (1, 6)")
            try await database.at("y", "DELETE FROM line WHERE id IN (11, 16)")
            #expect(try await refusal { try await database.at("x", "DELETE FROM orders WHERE id = 2") } == "23503")
            #expect(try await database.rollback("y") == "rolledBack []")
            try await database.at("x", "DELETE FROM line WHERE id IN (11, 16)", "DELETE FROM orders WHERE id = 2")
            #expect(try await database.rollback("x") == "rolledBack []")
            #expect(try await database.rows(of: "line") == before)
            #expect(try await database.isClean())
        }
    }
}
