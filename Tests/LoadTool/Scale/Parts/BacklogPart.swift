import Foundation
import SettleTestSupport

/// What is away while orders are placed, comes back and finds their tasks: how fast they settle then, and how much memory it
/// takes.
struct BacklogPart {
    private static let receiver = "user-points"

    let counts: [Int]
    let servers: PrivateServers?

    /// - Parameter setting: afterwards it has the processes that came back.
    func run(_ setting: inout ScaleSetting) async throws -> [ScaleReport.Run] {
        let scenario = Scenario(mode: "message", pace: .closed(clients: 32))
        var runs = [try await setting.run(.backlog, "0", scenario)]
        for count in counts {
            try await setting.empty()
            runs.append(try await withoutReceiver(count, scenario, &setting))
            guard let servers else { continue }
            try await setting.empty()
            runs.append(try await withoutBroker(count, scenario, servers, &setting))
        }
        return runs
    }

    private func withoutReceiver(
        _ count: Int, _ scenario: Scenario, _ setting: inout ScaleSetting
    ) async throws -> ScaleReport.Run {
        guard let id = setting.processes.ids[Self.receiver]?.first else {
            throw BenchDatabases.Missing(description: "--process \(Self.receiver)")
        }
        let (image, started, port) = (try ServiceImage(of: id), setting.started, setting.ports.points)
        return try await placed(
            count, "\(Self.receiver) away", scenario, &setting, away: { try await started.end(id) },
            back: { (Self.receiver, try await started.start(Self.receiver, image, port: port)) })
    }

    private func withoutBroker(
        _ count: Int, _ scenario: Scenario, _ servers: PrivateServers, _ setting: inout ScaleSetting
    ) async throws -> ScaleReport.Run {
        try await placed(
            count, "RabbitMQ away", scenario, &setting, away: { try await servers.stop("rabbitmq") },
            back: { ("rabbitmq", try await servers.start("rabbitmq")) })
    }

    /// Places `count` orders while something is away, and measures from its return on.
    ///
    /// - Parameter back: returns what came back, and its process id.
    private func placed(
        _ count: Int, _ what: String, _ scenario: Scenario, _ setting: inout ScaleSetting,
        away: () async throws -> Void, back: () async throws -> (name: String, id: Int)
    ) async throws -> ScaleReport.Run {
        MeasuredSuite.say("backlog, \(count), \(what)")
        let books = try await RunBooks(setting.databases)
        try await away()
        setting.processes.resetPeaks()
        let placing = Date()
        let result = try await LoadLoop.run(
            scenario, ports: setting.orderPorts, run: UUID().uuidString.lowercased(), for: .seconds(3_600), limit: count
        )
        let (name, id) = try await back()
        setting.processes.add(id, to: name, insteadOfAll: true)
        let meter = try await RunMeter(setting.databases, setting.processes, keepsPeaks: true)
        let row: BenchReport.Row
        do {
            try await setting.databases.drained(within: .seconds(1_800))
            let figures = try await meter.figures(result, placedSince: placing)
            row = try await books.row(scenario, figures, [result], measuredSince: placing, in: setting.databases)
        } catch let error as NotInTime {
            row = BenchReport.Row(scenario: scenario, figures: nil, disagreements: ["\(error)"])
        }
        return ScaleReport.Run(part: .backlog, what: "\(count), \(what)", row: row)
    }
}
