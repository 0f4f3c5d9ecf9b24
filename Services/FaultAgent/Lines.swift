import Logging
import ServiceLifecycle

/// All ways that the agent can break.
final class Lines: Service {
    let all: [Line]
    private let host: String
    private let logger: Logger

    init(_ addresses: [LineAddress], host: String, logger: Logger) {
        all = addresses.map(Line.init)
        self.host = host
        self.logger = logger
    }

    var names: [String] { all.map(\.address.name) }

    /// Those of these names.
    func set(_ state: Line.State, _ names: [String]) {
        for line in all where names.contains(line.address.name) { line.set(state) }
    }

    func cut() {
        for line in all { line.cut() }
    }

    /// Until graceful shutdown.
    func run() async throws {
        for line in all {
            try await line.listen(host: host)
            logger.info("a line is open", metadata: ["line": "\(line.address.name)", "port": "\(line.address.port)"])
        }
        try? await gracefulShutdown()  // cancelled is the other way to end
        for line in all { line.close() }
    }
}
