import SettlePostgres
import Testing

@Suite("Names of schemas")
struct SchemaNameTests {
    @Test(
        "they are quoted, whatever is in them",
        arguments: [("outbox", #""outbox""#), ("Outbox", #""Outbox""#), (#"a"b; --"#, #""a""b; --""#)])
    func quoted(name: String, quoted: String) throws {
        #expect(try SchemaName(name).quoted == quoted)
        #expect(try SchemaName(name).rawValue == name)
    }

    @Test(
        "63 bytes fit, not letters; none and NUL do not, nor PostgreSQL's own",
        arguments: [
            "", String(repeating: "a", count: 64), String(repeating: "ä", count: 32), "a\0b", "pg_temp",
        ])
    func refused(name: String) {
        #expect(throws: PostgresConfigurationError.self) { try SchemaName(name) }
    }

    @Test func longest() throws {
        #expect(try SchemaName(String(repeating: "a", count: 63)).quoted.utf8.count == 65)
        #expect(try SchemaName("public") == .public)
    }
}
