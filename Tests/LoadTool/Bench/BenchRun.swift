import Foundation
import SettleCore
import SettleTestSupport

/// One scenario, measured: warmed up, run, drained, checked.
struct BenchRun: Sendable {
    static let drainLimit: Duration = .seconds(300)

    let databases: BenchDatabases
    let orderPorts: [Int]
    let processes: Processes
    let warmUp: Duration
    let duration: Duration

    func callAsFunction(_ scenario: Scenario) async throws -> BenchReport.Row {
        try await watched(scenario) {}.row
    }

    /// - Parameter watch: runs beside the measured load, from its beginning; what it returns is nil for a run that never
    ///   settled.
    func watched<Seen: Sendable>(
        _ scenario: Scenario, _ watch: @escaping @Sendable () async throws -> Seen
    ) async throws -> (row: BenchReport.Row, seen: Seen?) {
        let run = UUID().uuidString.lowercased()
        let books = try await RunBooks(databases)
        // Outside of what is measured, as are the page images that follow it in the WAL, most of them.
        try await databases.checkpoint()
        let warm = try await load(scenario, run: "\(run)-0", for: warmUp)
        do {
            try await databases.drained(within: Self.drainLimit)
            let meter = try await RunMeter(databases, processes)
            async let seen = watch()
            let result = try await load(scenario, run: "\(run)-1", for: duration)
            let kept = try await seen
            try await databases.drained(within: Self.drainLimit)
            let row = try await books.row(
                scenario, try await meter.figures(result), [warm, result], measuredSince: meter.start, in: databases)
            return (row, kept)
        } catch let error as NotInTime {
            return (BenchReport.Row(scenario: scenario, figures: nil, disagreements: ["\(error)"]), nil)
        }
    }

    private func load(_ scenario: Scenario, run: String, for duration: Duration) async throws -> LoadResult {
        try await LoadLoop.run(scenario, ports: orderPorts, run: run, for: duration)
    }

    /// The least id that an order can have which is made at `date` or later: the first 48 bits are milliseconds since
    /// 1970 (RFC 9562, version 7).
    static func firstID(at date: Date) -> String {
        UUID.leastV7(at: date).uuidString.lowercased()
    }
}
