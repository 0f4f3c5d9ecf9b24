import Testing

@testable import SettleLoadTool

@Suite("The floor's script")
struct FloorTests {
    private static let id = "019a0000-1111-7222-8333-444455556666"
    private static let log = """
        2026-01-02 03:04:05.678 UTC [41] LOG:  execute s_1: INSERT INTO orders (id, user_name)
        \tSELECT id, n FROM unnest($1::uuid[], $2::text[], $3::text) AS o (id, n)
        2026-01-02 03:04:05.678 UTC [41] DETAIL:  parameters: $1 = '{\(id)}', $2 = '{bench-floor}', $3 = NULL
        2026-01-02 03:04:05.679 UTC [42] LOG:  execute <unnamed>: INSERT INTO orders (id) SELECT $1
        2026-01-02 03:04:05.679 UTC [42] DETAIL:  parameters: $1 = '{other}'
        2026-01-02 03:04:05.680 UTC [41] LOG:  execute s_2: INSERT INTO "public".task (body) SELECT $1 || $10
        2026-01-02 03:04:05.680 UTC [41] DETAIL:  Parameters: $1 = '{"it''s = \(id)"}', $2 = '5'
        2026-01-02 03:04:05.690 UTC [41] LOG:  execute s_3: WITH answer AS (SELECT $1) DELETE FROM task
        2026-01-02 03:04:05.690 UTC [41] DETAIL:  parameters: $1 = '\(id)'
        2026-01-02 03:04:05.691 UTC [41] LOG:  execute s_2: INSERT INTO "public".task (body) SELECT $1 || $10
        2026-01-02 03:04:05.691 UTC [41] DETAIL:  parameters: $1 = '\(id) again', $2 = '5'
        2026-01-02 03:04:05.692 UTC [43] ERROR:  something else

        """

    @Test("statements come out of PostgreSQL's log with their lines and parameters")
    func statements() throws {
        let statements = StatementLog(Self.log).statements
        #expect(statements.count == 5)
        let first = try #require(statements.first)
        #expect(first.process == "41" && first.table == "orders")
        #expect(first.sql.hasSuffix("\nSELECT id, n FROM unnest($1::uuid[], $2::text[], $3::text) AS o (id, n)"))
        #expect(first.parameters == ["{\(Self.id)}", "{bench-floor}", nil])
        #expect(statements[2].parameters == [#"{"it's = \#(Self.id)"}"#, "5"])
        #expect(statements[2].table == "task")
    }

    @Test("of one order they are the inserts of its first transaction, once each")
    func inserts() {
        let inserts = StatementLog(Self.log).inserts(of: Self.id)
        #expect(inserts.map(\.table) == ["orders", "task"])
        #expect(inserts[1].parameters.first == #"{"it's = \#(Self.id)"}"#)
    }

    @Test("each run of the script is another order by another user; all else is as the service sent it")
    func script() {
        let script = FloorScript(StatementLog(Self.log).inserts(of: Self.id), id: Self.id, user: "bench-floor")
        #expect(
            script.variables == [
                "n=0", "s0p0={@id@}", "s0p1={@user@}", #"s1p0={"it's = @id@"}"#, "s1p1=5",
            ])
        let id = "'@id@', '00000000-0000-7000-8000-' || lpad(to_hex(:id::bigint), 12, '0')"
        #expect(
            script.text == #"""
                \set n :n + 1
                \set id :n * 1024 + :client_id
                \set user random(1, 1000)
                \startpipeline
                BEGIN;
                INSERT INTO orders (id, user_name)
                SELECT id, n FROM unnest((replace(:s0p0, \#(id)))::uuid[], (replace(:s0p1, '@user@', 'u' || :user::text))::text[], NULL::text) AS o (id, n);
                INSERT INTO "public".task (body) SELECT (replace(:s1p0, \#(id))) || $10;
                COMMIT;
                \endpipeline

                """#)
    }
}
