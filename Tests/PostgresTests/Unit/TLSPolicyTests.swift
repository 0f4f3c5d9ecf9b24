import Testing

@testable import SettlePostgres

@Suite("TLS as the database URL asks for it")
struct TLSPolicyTests {
    private static let bundle = "/system/bundle.crt"

    private func settings(_ query: String, _ environment: [String: String] = [:]) throws -> [String: String] {
        try ConnectionSettings(url: "postgres://h/d" + query, environment: environment, authorities: { Self.bundle })
            .values
    }

    @Test(
        "what is asked for, what is checked, and against what",
        arguments: [
            // Nothing said is plain text, not "if possible".
            ("", [:], "disable", nil),
            ("?sslmode=disable", [:], "disable", nil),
            ("?sslmode=disable", ["PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca"], "disable", nil),
            // Less than verified, as written out.
            ("?sslmode=prefer", [:], "prefer", nil),
            ("?sslmode=require", [:], "require", nil),
            ("?ssl=true", [:], "require", nil),
            ("?sslmode=require&sslrootcert=/etc/hosts", [:], "require", "/etc/hosts"),
            // Verified, with the system's authorities unless others are named.
            ("?sslmode=verify-full", [:], "verify-full", bundle),
            ("?sslmode=verify-ca", [:], "verify-ca", bundle),
            ("?sslmode=verify-full&sslrootcert=/etc/hosts", [:], "verify-full", "/etc/hosts"),
            ("?sslmode=verify-full&sslrootcert=system", [:], "verify-full", bundle),
            ("?sslrootcert=system", [:], "verify-full", bundle),
            // The environment speaks where the URL does not; what it names, libpq takes from there.
            ("", ["PGSSLMODE": "verify-full"], "verify-full", bundle),
            ("", ["PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/hosts"], "verify-full", nil),
            ("", ["PGSSLMODE": ""], "disable", nil),
        ] as [(String, [String: String], String, String?)])
    func table(query: String, environment: [String: String], mode: String, root: String?) throws {
        let values = try settings(query, environment)
        #expect(values["sslmode"] == mode && values["sslrootcert"] == root)
    }

    @Test(
        "what would be weaker than asked for, or means nothing, is refused",
        arguments: [
            ("?sslmode=bogus", [:], "sslmode"), ("?sslmode=", [:], "sslmode"),
            ("?sslmode=verify-full&sslrootcert=/nowhere", [:], "sslrootcert"),
            ("?connect_timeout=abc", [:], "connect_timeout"),
            ("", ["PGSSLMODE": "bogus"], "PGSSLMODE"),
            ("?sslrootcert=/ca", [:], "sslrootcert"), ("?sslmode=disable&sslrootcert=/ca", [:], "sslrootcert"),
            ("?sslcert=/c&sslkey=/k", [:], "sslcert"), ("", ["PGSSLROOTCERT": "/ca"], "PGSSLROOTCERT"),
            ("?channel_binding=require", [:], "channel_binding"), ("?channel_binding=maybe", [:], "channel_binding"),
            ("?ssl_min_protocol_version=TLSv1.3", [:], "ssl_min_protocol_version"),
            ("?sslmode=require&ssl_min_protocol_version=9", [:], "ssl_min_protocol_version"),
            ("?sslmode=require&sslrootcert=system", [:], "sslrootcert"),
            ("?service=mine", [:], "sslmode"), ("", ["PGSERVICE": "mine"], "sslmode"),
        ] as [(String, [String: String], String)])
    func refused(query: String, environment: [String: String], name: String) throws {
        let error = #expect(throws: PostgresConfigurationError.self) { try settings(query, environment) }
        #expect(error?.description.contains(name) == true && error?.description.contains("\n") == false)
    }

    @Test("a system without authorities: refused at the start, not at each attempt to connect")
    func noAuthorities() throws {
        let error = #expect(throws: PostgresConfigurationError.self) {
            try ConnectionSettings(url: "postgres://h/d?sslmode=verify-full", environment: [:], authorities: { nil })
        }
        #expect(error?.description.contains("sslrootcert") == true)
    }
}
