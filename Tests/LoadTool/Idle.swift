import ArgumentParser
import Foundation
import SettleTestSupport

/// Connections that say nothing fill one port: the others stay open, and it opens again.
struct Idle: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fills the port of stock with idle connections; the others answer, and soon it does again.")

    @OptionGroup var ports: ServicePorts
    @Option(help: "How many connections; the limit of open files must allow them.") var connections = 1_100

    func run() async throws {
        var report = Report()
        let sockets = (0..<connections).map { _ in Socket.open() }
        defer { for socket in sockets { close(socket) } }
        let opened = sockets.filter { Socket.connect($0, port: ports.stock) }.count
        for port in [ports.order, ports.points] {
            await report.expect("\(port) answers while \(opened) idle connections fill another port", within: .zero) {
                try await trouble(port)
            }
        }
        await report.expect("and that one too, soon: idle connections are closed", within: .seconds(100)) {
            try await trouble(ports.stock)
        }
        try report.end()
    }

    private func trouble(_ port: Int) async throws -> String? {
        let status = try await HTTPConnection.send("GET", port, "/health/live").get().status
        return status == 200 ? nil : "\(status)"
    }
}
