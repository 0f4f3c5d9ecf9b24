import Foundation
import Testing

@testable import SettlePostgres

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

    @Test(
        "COPY from or to the client is found behind whatever may stand before it",
        arguments: [
            "COPY t FROM STDIN", "copy t to stdout", "\u{b}\u{c};; Copy(SELECT 1) TO STDOUT",
            "-- a comment\nCOPY t FROM stdin WITH (FORMAT csv)", "/* one /* in */ another */copy t to stdout",
            "--x\rcopy t from stdin",
        ])
    func copy(sql: String) {
        #expect(throws: PostgresError.self) { try Statement(sql).validate() }
        #expect(throws: Never.self) { try Statement(sql).validate(isScript: true) }
    }

    @Test(
        "and nothing else is taken for it",
        arguments: [
            "", ";", "-- COPY t TO STDOUT", "/* COPY t TO STDOUT", "/*/ COPY t TO STDOUT", "COPY t TO '/tmp/t'", "c",
            "CREATE TABLE stdin ()",
            "SELECT 'COPY t TO STDOUT'", "INSERT INTO copy VALUES ('stdin')", "(SELECT 'copy stdout')",
        ])
    func notCopy(sql: String) {
        #expect(throws: Never.self) { try Statement(sql).validate() }
    }

    @Test("a date that PostgreSQL cannot hold is refused, not sent")
    func dates() {
        for seconds in [Double.nan, .infinity, -.infinity, 1e300, -1e300, 9_224_318_016_000, -210_866_803_201] {
            let value = PostgresValue.date(Date(timeIntervalSince1970: seconds))
            let error = #expect(throws: PostgresError.self) { try Statement("SELECT $1", [value]).validate() }
            #expect(error?.kind == .invalidParameter)
        }
        for date in [Date.distantFuture, .distantPast, Date(timeIntervalSince1970: 9_224_318_015_999)] {
            #expect(throws: Never.self) { try Statement("SELECT $1", [.date(date)]).validate() }
        }
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
