import SettlePostgres
import SettleTestSupport
import Testing

@Suite(
    "TLS", .enabled(if: TestServer.isAvailable && PrivatePostgres.programs != nil && PrivatePostgres.hasOpenSSL))
struct EncryptionTests {
    @Test("long pipelines and large values, as without it", .timeLimit(.minutes(1)))
    func encrypted() async throws {
        try await PrivatePostgres.with(tls: true) { server in
            let database = try PostgresDatabase(PostgresConfiguration(url: server.url), logger: quiet)
            try await serving([database]) {
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

    private func isEncrypted(_ url: String) async throws -> Bool {
        var configuration = try PostgresConfiguration(url: url)
        configuration.connections = 1
        let database = PostgresDatabase(configuration, logger: quiet)
        return try await serving([database]) {
            let rows = try await database.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            return try rows[0].decode(Bool.self, "ssl")
        }
    }

    @Test("what the URL asks for is what it gets: nothing, encryption, or a server that has shown who it is")
    func policy() async throws {
        try await PrivatePostgres.with(tls: true) { server in
            let own = "&sslrootcert=" + server.authorities
            #expect(try await !isEncrypted(server.url(host: "localhost", "")), "the server could, but was not asked to")
            #expect(try await isEncrypted(server.url(host: "127.0.0.1", "?sslmode=require")))
            #expect(try await isEncrypted(server.url(host: "localhost", "?sslmode=verify-full" + own)))
            #expect(try await isEncrypted(server.url(host: "127.0.0.1", "?sslmode=verify-ca" + own)))
            let otherName = try await failure {
                try await isEncrypted(server.url(host: "127.0.0.1", "?sslmode=verify-full" + own))
            }
            #expect(otherName.kind == .unavailable && otherName.serverMessage?.contains("does not match host") == true)
            // Against the system's authorities, who have never heard of it.
            for query in ["?sslmode=verify-full", "?sslmode=verify-full&sslrootcert=system"] {
                let unknown = try await failure { try await isEncrypted(server.url(host: "localhost", query)) }
                #expect(unknown.serverMessage?.contains("certificate verify failed") == true, "\(unknown)")
            }
        }
    }
}
