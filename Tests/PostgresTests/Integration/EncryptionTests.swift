import Postgres
import Testing

@Suite(
    "TLS", .enabled(if: TestServer.isAvailable && PrivateServer.programs != nil && PrivateServer.hasOpenSSL))
struct EncryptionTests {
    @Test("long pipelines and large values, as without it", .timeLimit(.minutes(1)))
    func encrypted() async throws {
        let server = try PrivateServer(tls: true)
        defer { server.remove() }
        let database = try PostgresDatabase(PostgresConfiguration(url: server.url), logger: quiet)
        try await running(database) {
            let rows = try await database.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            #expect(try rows[0].decode(Bool.self, "ssl"))
            for size in [1, 8_000, 16_000, 16_384, 17_000, 100_000, 5_000_000] {
                let text = String(repeating: "x", count: size)
                let echo = try await database.query("SELECT $1::text AS echo", [.text(text)])
                #expect(try echo[0].decode(String.self, "echo") == text)
            }
            let count = try await database.transaction { transaction in
                let tickets = (0..<10_000).map { transaction.add("SELECT $1::int, repeat('x', 900)", [.int($0)]) }
                return try tickets.reduce(0) { try $0 + transaction.rows(of: $1).count }
            }
            #expect(count == 10_000)
        }
    }
}
