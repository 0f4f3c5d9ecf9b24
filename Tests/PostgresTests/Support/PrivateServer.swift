import Foundation
import Synchronization

/// A PostgreSQL server of a test's own, which it may stop and crash. The programs are those of this machine.
final class PrivateServer: Sendable {
    /// Where `pg_ctl` and the others are: the newest of the places where Debian puts them, or on the path.
    static let programs: String? = {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        let folders = versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "/usr/lib/postgresql/\($0)/bin" }
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (folders + path).first { FileManager.default.isExecutableFile(atPath: $0 + "/pg_ctl") }
    }()

    static let hasOpenSSL = FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")

    let url: String
    private let folder: String
    private let programs: String
    private let port: UInt16
    private let process = Mutex<Process?>(nil)

    /// Starts it with an empty data folder.
    ///
    /// - Parameter tls: take connections over TLS, too, with a certificate for "localhost" made for the occasion.
    init(tls: Bool = false) throws {
        guard let programs = Self.programs else { throw Unexpected("PostgreSQL's programs are not installed") }
        self.programs = programs
        folder = NSTemporaryDirectory() + "postgres-tests-" + UUID().uuidString
        port = try TCPProxy.freePort()
        url = "postgresql://settle@127.0.0.1:\(port)/postgres" + (tls ? "?sslmode=require" : "")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        if geteuid() == 0 { try Self.run(["chown", "postgres", folder]) }
        try Self.run(asOwner(["\(programs)/initdb", "-D", data, "-U", "settle", "-A", "trust"]))
        var settings = "port = \(port)\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '\(folder)'\n"
        if tls {
            try Self.run(
                asOwner(
                    [
                        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", data + "/server.key", "-out", data + "/server.crt",
                    ]))
            settings += "ssl = on\n"
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: data + "/postgresql.conf"))
        try file.seekToEnd()
        try file.write(contentsOf: Data(settings.utf8))
        try file.close()
        try start()
    }

    private var data: String { folder + "/data" }

    /// What vouches for the server's certificate.
    var authorities: String { data + "/server.crt" }

    /// Its URL by another name of the host, with other parameters.
    func url(host: String, _ query: String) -> String {
        "postgresql://settle@\(host):\(port)/postgres\(query)"
    }

    /// Returns when it takes connections.
    ///
    /// Not by `pg_ctl start`: the server would inherit what `Process` waits on for the end of `pg_ctl`.
    func start() throws {
        let started = try Self.launch(asOwner(["\(programs)/postgres", "-D", data]))
        process.withLock { $0 = started }
        for _ in 1...600 {
            guard started.isRunning else { break }
            let probe = try Self.launch(["\(programs)/pg_isready", "-q", "-h", "127.0.0.1", "-p", "\(port)"])
            probe.waitUntilExit()
            if probe.terminationStatus == 0 { return }
            usleep(50_000)
        }
        throw Unexpected("the server did not start")
    }

    /// - Parameter signal: SIGINT ends the connections in order, SIGQUIT is a crash.
    func stop(_ signal: Int32) {
        guard let process = process.withLock({ $0.take() }) else { return }
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
    }

    /// Stops it for good and removes its files.
    func remove() {
        stop(SIGQUIT)
        // What is left in the folder for temporary files harms nobody.
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The server refuses to run as root, so root runs it as the user that Debian's package made.
    private func asOwner(_ command: [String]) -> [String] {
        geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] + command : command
    }

    private static func launch(_ command: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        try process.run()
        return process
    }

    private static func run(_ command: [String]) throws {
        let process = try launch(command)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Unexpected("\(command) failed") }
    }
}
