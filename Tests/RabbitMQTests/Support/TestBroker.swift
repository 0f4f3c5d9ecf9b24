import Foundation
import SettleRabbitMQ
import Synchronization
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
    private let folder: URL
    private let environment: [String: String]
    /// The process id of the script that started the server.
    private let launched = Mutex<pid_t?>(nil)

    /// Prepares the folder; starts nothing.
    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "settle-broker-\(UUID().uuidString.prefix(8))")
        for name in ["home", "data", "log"] {
            try FileManager.default.createDirectory(
                at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        let ports = try Self.freePorts(4)
        (port, tlsPort) = (ports[0], ports[1])
        let path = folder.path
        environment = [
            "PATH": "\(Self.programs):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")",
            "HOME": "\(path)/home", "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": "settle\(port)@localhost",
            "RABBITMQ_DIST_PORT": "\(ports[2])", "ERL_EPMD_PORT": "\(ports[3])", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": "\(path)/data", "RABBITMQ_LOG_BASE": "\(path)/log",
            "RABBITMQ_CONFIG_FILE": "\(path)/rabbitmq", "RABBITMQ_PID_FILE": "\(path)/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "\(path)/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        ]
        try write("[].", to: "plugins")
        try write(
            """
            listeners.tcp.1 = 127.0.0.1:\(port)
            listeners.ssl.1 = 127.0.0.1:\(tlsPort)
            ssl_options.cacertfile = \(path)/ca.pem
            ssl_options.certfile = \(path)/server.pem
            ssl_options.keyfile = \(path)/server.key
            log.console = false
            disk_free_limit.absolute = 50MB
            """, to: "rabbitmq.conf")
        try makeCertificates()
    }

    /// Signed what the broker shows when asked for TLS.
    var authorities: String { folder.appending(path: "ca.pem").path }

    func configuration() throws -> RabbitMQConfiguration {
        try TestServer.impatient(RabbitMQConfiguration(url: "amqp://127.0.0.1:\(port)"))
    }

    /// Starts it and waits until it takes connections.
    func start() async throws {
        let file = folder.appending(path: "pid")
        // Of an earlier start, if there was one.
        try? FileManager.default.removeItem(at: file)
        let script = try launch("rabbitmq-server", [])
        launched.withLock { $0 = script.processIdentifier }
        try await eventually(within: .seconds(60), "the broker writes its process id") {
            FileManager.default.fileExists(atPath: file.path)
        }
        try await control("wait", "--timeout", "60", file.path)
    }

    /// Ends it as a crash does.
    func kill() async throws {
        signal(SIGKILL, try processID())
        // The script that started it may wait for ever: it inherits a mask that keeps the child's end from it.
        if let script = launched.withLock({ $0.take() }) { signal(SIGKILL, script) }
        // Not by the process: the port mapper holds on to what Foundation watches it by.
        try await eventually("the broker is gone") { Self.isFree(port) && Self.isFree(tlsPort) }
    }

    func freeze() throws { signal(SIGSTOP, try processID()) }

    func thaw() throws { signal(SIGCONT, try processID()) }

    /// `rabbitmqctl`.
    func control(_ arguments: String...) async throws {
        let process = try launch("rabbitmqctl", arguments)
        try await eventually(within: .seconds(90), "rabbitmqctl ends") { !process.isRunning }
        try #require(process.terminationStatus == 0, "rabbitmqctl \(arguments)")
    }

    /// Stops what is left of it, with the port mapper that Erlang started for it, and removes the folder.
    func remove() async throws {
        if launched.withLock({ $0 != nil }) {
            try await kill()
            try await eventually("the port mapper ends, which it does once it knows of the end") {
                let mapper = try launch("epmd", ["-kill"])
                try await eventually("it is told") { !mapper.isRunning }
                return mapper.terminationStatus == 0
            }
        }
        try FileManager.default.removeItem(at: folder)
    }

    private func processID() throws -> pid_t {
        let text = try String(contentsOf: folder.appending(path: "pid"), encoding: .utf8)
        return try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    private func signal(_ signal: Int32, _ id: pid_t) {
        // One that is gone already has nothing to be told.
        _ = Foundation.kill(id, signal)
    }

    @discardableResult
    private func launch(_ program: String, _ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.environment = environment
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func write(_ text: String, to name: String) throws {
        try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
    }

    private func makeCertificates() throws {
        let script = """
            cd '\(folder.path)'
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
            openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                -keyout server.key -out server.csr
            printf 'subjectAltName=DNS:localhost' > extensions
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions \
                -out server.pem
            """
        let process = try launch("sh", ["-ec", script])
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl")
    }

    /// Ports below the range that the system gives to outgoing connections, free a moment ago.
    private static func freePorts(_ count: Int) throws -> [Int] {
        let ports = (20_000..<32_000).shuffled().lazy.filter(isFree).prefix(count)
        return try #require(Array(ports).count == count ? Array(ports) : nil)
    }

    private static func isFree(_ port: Int) -> Bool {
        #if canImport(Darwin)
            let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #else
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #endif
        defer { close(descriptor) }
        var yes: Int32 = 1
        // Without it, connections that have just ended would make the port look taken.
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
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
