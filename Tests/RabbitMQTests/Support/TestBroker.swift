import Foundation
import SettleRabbitMQ
import SettleTestSupport
import Testing

/// A broker of this run's own, which tests may stop, kill, freeze and restart; in a folder that goes with it.
final class TestBroker: Sendable {
    static let programs = "/usr/lib/rabbitmq/bin"
    /// Only where integration tests are wanted, and the server is installed.
    static var isPossible: Bool {
        TestServer.isThere && FileManager.default.isExecutableFile(atPath: "\(programs)/rabbitmq-server")
    }

    let port: Int
    let tlsPort: Int
    private let server: PrivateServer

    /// Prepares the folder; starts nothing.
    init() throws {
        let ports = try (0..<4).map { _ in try Ports.take() }
        (port, tlsPort) = (ports[0], ports[1])
        let path = FileManager.default.temporaryDirectory.appending(
            path: "settle-broker-\(UUID().uuidString.prefix(8))"
        ).path
        let environment = [
            "PATH": "\(Self.programs):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")",
            "HOME": "\(path)/home", "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": "settle\(port)@localhost",
            "RABBITMQ_DIST_PORT": "\(ports[2])", "ERL_EPMD_PORT": "\(ports[3])", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": "\(path)/data", "RABBITMQ_LOG_BASE": "\(path)/log",
            "RABBITMQ_CONFIG_FILE": "\(path)/rabbitmq", "RABBITMQ_PID_FILE": "\(path)/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "\(path)/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        ]
        server = try PrivateServer(folder: URL(filePath: path), environment: environment)
        for name in ["home", "data", "log"] {
            try FileManager.default.createDirectory(atPath: server.path(name), withIntermediateDirectories: true)
        }
        try server.write("[].", to: "plugins")
        try server.write(
            """
            listeners.tcp.1 = 127.0.0.1:\(port)
            listeners.ssl.1 = 127.0.0.1:\(tlsPort)
            ssl_options.cacertfile = \(path)/ca.pem
            ssl_options.certfile = \(path)/server.pem
            ssl_options.keyfile = \(path)/server.key
            log.console = false
            disk_free_limit.absolute = 50MB
            """, to: "rabbitmq.conf")
    }

    /// Signed what the broker shows when asked for TLS.
    var authorities: String { server.path("ca.pem") }

    func configuration() throws -> RabbitMQConfiguration {
        try TestServer.impatient(RabbitMQConfiguration(url: "amqp://127.0.0.1:\(port)"))
    }

    /// Starts it and waits until it takes connections.
    func start() async throws {
        let file = server.path("pid")
        // Of an earlier start, if there was one.
        try? FileManager.default.removeItem(atPath: file)
        if !FileManager.default.fileExists(atPath: authorities) { try await makeCertificates() }
        try await server.start(["rabbitmq-server"]) { FileManager.default.fileExists(atPath: file) }
        try await control("wait", "--timeout", "60", file)
    }

    /// Ends it as a crash does.
    func kill() async throws {
        // The script that started it ends with it, or is ended.
        try signal(SIGKILL)
        try await server.stop(SIGKILL)
        try await eventually("the broker is gone") { Socket.isFree(port: port) && Socket.isFree(port: tlsPort) }
    }

    func freeze() throws { try signal(SIGSTOP) }

    func thaw() throws { try signal(SIGCONT) }

    /// `rabbitmqctl`.
    func control(_ arguments: String...) async throws { try await server.run(["rabbitmqctl"] + arguments) }

    /// Stops what is left of it, with the port mapper that Erlang started for it, and removes the folder.
    func remove() async throws {
        if server.pid != nil {
            try await kill()
            try await eventually("the port mapper ends, which it does once it knows of the end") {
                do { try await server.run(["epmd", "-kill"]) } catch is Command.Failed { return false }
                return true
            }
        }
        try await server.remove()
    }

    /// To the server itself, which the script has started.
    private func signal(_ signal: Int32) throws {
        let text = try String(contentsOfFile: server.path("pid"), encoding: .utf8)
        // One that is gone already has nothing to be told.
        _ = Foundation.kill(try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines))), signal)
    }

    private func makeCertificates() async throws {
        let script = """
            cd '\(server.folder.path)'
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
            openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                -keyout server.key -out server.csr
            printf 'subjectAltName=DNS:localhost' > extensions
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions \
                -out server.pem
            """
        try await server.run(["sh", "-ec", script])
    }
}

/// Gives a suite a broker of its own for as long as it runs; not started: each suite begins with it away.
struct OwnBroker: SuiteTrait, TestScoping {
    @TaskLocal static var current: TestBroker?

    var isRecursive: Bool { false }

    @concurrent func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let broker = try TestBroker()
        let result: Result<Void, any Error>
        do { result = .success(try await Self.$current.withValue(broker) { try await function() }) } catch {
            result = .failure(error)
        }
        try await broker.remove()
        try result.get()
    }
}

extension Trait where Self == OwnBroker {
    static var ownBroker: Self { OwnBroker() }
}
