import Foundation
import SettleTestSupport
import Testing

/// A suite that can be broken: its agent, through whose lines the services reach their servers and each other, and somebody
/// who starts again what has ended, as a container engine would.
final class FaultBed: Sendable {
    let suite: Suite
    let agent: ServiceProcess

    /// What `GET /trials/{id}` of the agent says.
    struct Trial: Decodable, Sendable {
        struct Mended: Decodable, Sendable {
            let what: String
            let service: String
            let count: Int
        }

        struct Books: Decodable, Sendable {
            let agree: Bool
            let orders: [String: Int]
            let findings: [String]
        }

        struct Counts: Decodable, Sendable {
            let sent: Int
            let placed: Int
            let refused: Int
            let unanswered: Int
        }

        let id: String
        let `switch`: String
        let phase: String
        let hitAt: String?
        let inFlight: [String: Int]?
        let orders: Counts
        let mended: [Mended]
        let settledAfter: Double?
        let books: Books?
        let problems: [String]
        let isWell: Bool?

        var text: String {
            "\(`switch`): \(problems) \(books?.findings ?? []), \(orders), settled after \(settledAfter ?? -1) s, "
                + mended.map { "\($0.service) \($0.what) \($0.count)" }.joined(separator: ", ")
        }

        func counts(_ what: String, of service: String? = nil) -> Int {
            mended.filter { $0.what == what && (service == nil || $0.service == service) }.reduce(0) { $0 + $1.count }
        }
    }

    struct Switch: Decodable, Sendable {
        let id: String
        let kind: String
        let service: String?
        let says: [String: String]
    }

    private init(_ suite: Suite, agent: ServiceProcess) {
        self.suite = suite
        self.agent = agent
    }

    static func with(_ body: (FaultBed) async throws -> Void) async throws {
        let settings = Suite.quickCentre.merging(Suite.impatient) { $1 }.merging(["FAULT_SWITCHES": "on"]) { $1 }
        try await Suite.with(settings: settings, start: false) { suite in
            let agentPort = try Ports.take()
            let lines = try Lines(suite)
            let agent = try ServiceProcess(
                name: "fault-agent", executable: suite.surroundings.testbed.bin.appending(path: "fault-agent"),
                port: agentPort,
                environment: [
                    "HTTP_PORT": String(agentPort), "SETTLE_TOKEN": suite.token, "FAULT_LINES": lines.setting,
                    "ORDER_URL": suite.url(.order), "STOCK_URL": suite.url(.stock),
                    "POINTS_URL": suite.url(.userPoints), "CENTRE_URL": suite.url(.messageCentre),
                ], log: suite.log("fault-agent"))
            defer { agent.signal(SIGKILL) }
            let bed = FaultBed(suite, agent: agent)
            try await suite.awaitReady(agent)
            for role in Role.everyone {
                try suite.start(
                    role,
                    settings: lines.settings(of: role).merging([
                        "FAULT_AGENT_URL": "http://127.0.0.1:\(agentPort)"
                    ]) { $1 })
            }
            for role in Role.everyone { try await suite.awaitReady(role) }
            try await suite.seed()
            await withTaskGroup { group in
                group.addTask { await bed.keep() }
                do {
                    try await body(bed)
                } catch {
                    Issue.record("\(error)\n\(agent.logTail)")
                }
                group.cancelAll()
            }
            // The services reach their servers through the agent, so it goes last.
            try await suite.stopAll()
            try await suite.stop(agent)
        }
    }

    /// Starts again what has ended, until it is cancelled.
    private func keep() async {
        while !Task.isCancelled {
            for role in Role.everyone {
                guard let ended = suite.ended(role) else { continue }
                do { try suite.startAgain(ended) } catch { Issue.record(error) }
            }
            // Cancelled, the loop ends.
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    func switches() async throws -> [Switch] {
        struct Answer: Decodable { let switches: [Switch] }
        return try await ask("GET", "/switches").decode(Answer.self).switches
    }

    /// Breaks something, and waits for the verdict; `meanwhile` runs as soon as it is begun.
    func breaks(
        _ id: String, orders: Int = 12, seconds: Int = 3, meanwhile: () async throws -> Void = {}
    ) async throws -> Trial {
        let begun = try await ask(
            "POST", "/trials", json: #"{"switch":"\#(id)","orders":\#(orders),"seconds":\#(seconds)}"#)
        try #require(begun.status == 202, "\(id): \(begun.text)")
        let trial = try begun.decode(Trial.self)
        try await meanwhile()
        return try await over(trial.id)
    }

    func over(_ id: String) async throws -> Trial {
        var last: Trial?
        try await eventually("the trial is over", within: .seconds(200), every: .milliseconds(100)) {
            last = try await self.ask("GET", "/trials/\(id)").decode(Trial.self)
            return last?.phase == "over"
        }
        return try #require(last)
    }

    func ask(_ method: String, _ path: String, json: String? = nil, token: String? = nil) async throws -> HTTPAnswer {
        var headers = ["Authorization": "Bearer \(token ?? suite.token)"]
        if json != nil { headers["Content-Type"] = "application/json" }
        return try await HTTPConnection.send(method, agent.port, path, headers: headers, body: Array((json ?? "").utf8))
            .get()
    }
}

/// The agent's lines, and what services are told instead of the servers' addresses.
private struct Lines {
    private var texts: [String] = []
    private var settings: [Role: [String: String]] = [:]

    var setting: String { texts.joined(separator: ",") }

    init(_ suite: Suite) throws {
        let around = suite.surroundings
        for role in Role.everyone {
            let url = try add("postgres-\(role.rawValue)", around.databaseURL(of: role))
            settings[role] = ["DATABASE_URL": url]
        }
        let broker = try Ports.take()
        let redis = try Ports.take()
        texts.append(try Self.line("rabbitmq", broker, around.amqpURL))
        texts.append(try Self.line("redis", redis, around.redisURL))
        for role in Role.everyone {
            let url = try Self.moved(around.amqpURL(of: role), to: broker)
            settings[role]?["AMQP_URL"] = url
            guard role != .messageCentre else { continue }
            let fast = try Self.moved(around.redisURL(of: role), to: redis)
            settings[role]?["REDIS_URL"] = fast
        }
        for (role, name) in [
            (Role.order, "ORDER_URL"), (.stock, "STOCK_URL"), (.userPoints, "POINTS_URL"),
            (.messageCentre, "CENTRE_URL"),
        ] {
            let url = try add("to-\(role.rawValue)", suite.url(role))
            for user in Role.everyone { settings[user]?[name] = url }
        }
    }

    func settings(of role: Role) -> [String: String] { settings[role] ?? [:] }

    private mutating func add(_ name: String, _ url: String) throws -> String {
        let port = try Ports.take()
        texts.append(try Self.line(name, port, url))
        return try Self.moved(url, to: port)
    }

    private static func line(_ name: String, _ port: Int, _ url: String) throws -> String {
        let parts = try #require(URLComponents(string: url))
        return "\(name)=\(port):\(try #require(parts.host)):\(try #require(parts.port))"
    }

    private static func moved(_ url: String, to port: Int) throws -> String {
        var parts = try #require(URLComponents(string: url))
        parts.port = port
        return try #require(parts.string)
    }
}
