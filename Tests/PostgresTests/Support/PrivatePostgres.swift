import Foundation
import SettleTestSupport

/// A PostgreSQL server of a test's own, which it may stop and crash.
struct PrivatePostgres {
    /// Where `pg_ctl` and the others are: the newest of the places where Debian puts them, or on the path.
    static let programs: String? = {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        let folders = versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "/usr/lib/postgresql/\($0)/bin" }
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (folders + path).first { FileManager.default.isExecutableFile(atPath: $0 + "/pg_ctl") }
    }()

    static let hasOpenSSL = FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")

    let url: String
    private let server: PrivateServer
    private let programs: String
    private let port: Int

    /// With an empty data folder; ends with `body`.
    ///
    /// - Parameter tls: take connections over TLS, too, with a certificate for "localhost" made for the occasion.
    static func with(tls: Bool = false, _ body: (PrivatePostgres) async throws -> Void) async throws {
        guard let programs else { throw Unexpected("PostgreSQL's programs are not installed") }
        let server = try PrivatePostgres(programs: programs, tls: tls)
        let result: Result<Void, any Error>
        do {
            try await server.create(tls: tls)
            try await server.start()
            result = .success(try await body(server))
        } catch {
            result = .failure(error)
        }
        try await server.server.remove(SIGQUIT)
        try result.get()
    }

    private init(programs: String, tls: Bool) throws {
        self.programs = programs
        port = try Ports.take()
        url = "postgresql://settle@127.0.0.1:\(port)/postgres" + (tls ? "?sslmode=require" : "")
        server = try PrivateServer(account: "postgres")
    }

    private var data: String { server.path("data") }

    /// What vouches for the server's certificate.
    var authorities: String { data + "/server.crt" }

    /// Its URL by another name of the host, with other parameters.
    func url(host: String, _ query: String) -> String {
        "postgresql://settle@\(host):\(port)/postgres\(query)"
    }

    private func create(tls: Bool) async throws {
        try await server.run(["\(programs)/initdb", "-D", data, "-U", "settle", "-A", "trust"])
        guard tls else { return }
        try await server.run([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", data + "/server.key", "-out", authorities,
        ])
    }

    /// Returns when it takes connections.
    func start() async throws {
        let settings = [
            "port=\(port)", "listen_addresses=127.0.0.1", "unix_socket_directories=\(server.folder.path)",
            "ssl=\(FileManager.default.fileExists(atPath: authorities))",
        ]
        try await server.start(["\(programs)/postgres", "-D", data] + settings.flatMap { ["-c", $0] }) {
            do {
                try await server.run(["\(programs)/pg_isready", "-q", "-h", "127.0.0.1", "-p", "\(port)"])
                return true
            } catch is Command.Failed {
                return false
            }
        }
    }

    /// - Parameter signal: SIGINT ends the connections in order, SIGQUIT is a crash.
    func stop(_ signal: Int32) async throws { try await server.stop(signal) }
}
