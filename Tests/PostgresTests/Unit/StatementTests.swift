import Testing

@testable import Postgres

@Suite("Statements")
struct StatementTests {
    @Test(
        "plain ones",
        arguments: [
            "SELECT 1", "select(1)", "  \n\tInsert INTO t", "UPDATE t", "delete\nfrom t", "WITH a AS (SELECT 1) SELECT",
        ])
    func plain(sql: String) {
        #expect(Statement(sql).isPlain)
    }

    @Test(
        "all that may commit on its own, or that nobody can tell",
        arguments: [
            "", "SELECT", "selection", "CALL p()", "COMMIT PREPARED 'x'", "VACUUM", "-- SELECT\nCALL p()",
            "/* */ SELECT 1", "SET LOCAL a = 1", "SAVEPOINT s", "DO $$ $$", "INSERTED x", "with_x", "select_x",
            "SELECT1", "CREATE TABLE t (id int)",
        ])
    func notPlain(sql: String) {
        #expect(!Statement(sql).isPlain)
    }

    @Test("the name of a prepared transaction is escaped")
    func gid() {
        #expect(Statement.prepareTransaction(gid: #"a'b\c"#).sql == #"PREPARE TRANSACTION E'a\'b\\c'"#)
    }

    @Test("half a gibibyte is refused")
    func tooBig() {
        // Sent as text, a byte takes two.
        let part = PostgresValue.bytes(Array(repeating: 0, count: 64 * 1024 * 1024))
        #expect(throws: PostgresError.self) {
            try Statement("SELECT 1", Array(repeating: part, count: 5)).validate()
        }
        #expect(throws: Never.self) { try Statement("SELECT 1", [part]).validate() }
    }
}
