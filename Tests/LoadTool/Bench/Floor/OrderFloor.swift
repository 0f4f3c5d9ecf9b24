import Foundation
import SettleTestSupport

/// How many orders a second PostgreSQL alone writes: pgbench with order's own statements, on order's own tables, while
/// the services stand still.
struct OrderFloor: Sendable {
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    private static let user = "bench-floor"
    private static let clients = 32

    let databases: BenchDatabases
    let orderPort: Int
    let processes: Processes
    /// PostgreSQL's own log.
    let log: String

    /// Takes the statements out of the log: of one order, placed for this.
    func script() async throws -> FloorScript {
        try await databases.logStatements(true)
        let found: FloorScript
        do {
            found = try await learn()
        } catch {
            try await databases.logStatements(false)
            throw error
        }
        try await databases.logStatements(false)
        return found
    }

    private func learn() async throws -> FloorScript {
        struct Placed: Decodable { let id: String }
        let before = try FileManager.default.attributesOfItem(atPath: log)[.size] as? UInt64 ?? 0
        var placed: [String] = []
        // A server's process takes the setting up between two statements, so the first orders may not be in the log.
        for _ in 1...50 {
            let answer = try await HTTPConnection.send(
                "POST", orderPort, "/orders", headers: ["Content-Type": "application/json"],
                body: try OrderDraft(Self.user, ["p1": 1]).json
            ).get()
            placed.append(try answer.decode(Placed.self).id)
            try await databases.drained(within: .seconds(30))
            let file = try FileHandle(forReadingFrom: URL(filePath: log))
            try file.seek(toOffset: before)
            let statements = StatementLog(String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self))
            try file.close()
            for id in placed {
                let inserts = statements.inserts(of: id)
                if Self.isWhole(inserts) { return FloorScript(inserts, id: id, user: Self.user) }
            }
        }
        throw Failed(description: "order's statements are not in \(log)")
    }

    private static func isWhole(_ inserts: [StatementLog.Statement]) -> Bool {
        Set(inserts.map(\.table)).isSuperset(of: ["orders", "order_item", "task"])
    }

    /// Orders a second, over so many seconds.
    func measure(_ script: FloorScript, for seconds: Int) async throws -> Double {
        try await databases.checkpoint()
        let file = FileManager.default.temporaryDirectory.appending(path: "settle-floor-\(UUID()).sql")
        try script.text.write(to: file, atomically: true, encoding: .utf8)
        // A file left behind in the temporary directory harms nobody.
        defer { try? FileManager.default.removeItem(at: file) }
        // They would send the floor's tasks, and use time that is not its own.
        processes.signal(SIGSTOP, Processes.services)
        defer { processes.signal(SIGCONT, Processes.services) }
        let output = try await Command.run(
            "/usr/bin/env",
            [
                "pgbench", "--no-vacuum", "--protocol=prepared", "--client=\(Self.clients)", "--jobs=2",
                "--time=\(seconds)",
            ]
                + script.variables.flatMap { ["--define", $0] } + ["--file", file.path],
            environment: try databases.clientEnvironment())
        try await databases.removeOrders(before: FloorScript.end)
        guard let match = output.firstMatch(of: #/tps = ([0-9.]+)/#), let rate = Double(match.1) else {
            throw Failed(description: "pgbench said: \(output)")
        }
        return rate
    }
}
