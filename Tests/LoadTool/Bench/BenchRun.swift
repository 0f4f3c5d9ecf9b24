import Foundation
import SettleTestSupport

/// One scenario, measured: warmed up, run, drained, checked.
struct BenchRun: Sendable {
    private static let drainLimit: Duration = .seconds(180)

    let databases: BenchDatabases
    let orderPort: Int
    let processes: Processes
    let warmUp: Duration
    let duration: Duration

    func callAsFunction(_ scenario: Scenario) async throws -> BenchReport.Row {
        let run = UUID().uuidString.lowercased()
        let before = try await databases.ledger(since: Self.firstID(at: .distantFuture))
        let warmStart = Date()
        // Outside of what is measured, as are the page images that follow it in the WAL, most of them.
        try await databases.checkpoint()
        let warm = try await LoadLoop.run(scenario, port: orderPort, run: "\(run)-0", for: warmUp)
        do {
            try await databases.drained(within: Self.drainLimit)
            let (figures, result, start) = try await measured(scenario, run: "\(run)-1")
            return try await checked(scenario, figures, [warm, result], since: warmStart, measuredSince: start, before)
        } catch let error as NotInTime {
            return BenchReport.Row(scenario: scenario, figures: nil, disagreements: ["\(error)"])
        }
    }

    private func measured(
        _ scenario: Scenario, run: String
    ) async throws -> (figures: (_ settled: Int) -> Figures, result: LoadResult, start: Date) {
        processes.resetPeaks()
        let (counters, times, start) = (try await databases.counters(), try processes.times(), Date())
        let result = try await LoadLoop.run(scenario, port: orderPort, run: run, for: duration)
        try await databases.drained(within: Self.drainLimit)
        let used = try processes.times().merging(times) { $0 - $1 }
        let wall = -start.timeIntervalSinceNow
        let (after, peaks) = (try await databases.counters(), processes.peaks())
        let settled = try await databases.settled(since: Self.firstID(at: start))
        let figures = { (count: Int) in
            let orders = Double(max(1, count))
            return Figures(
                placedPerSecond: Double(result.accepted) / max(result.elapsed / .seconds(1), 0.001),
                settledPerSecond: Double(count) / max(settled.end - start.timeIntervalSince1970, 0.001),
                errors: result.errors, errorSummary: result.errorSummary,
                request: Figures.percents.compactMap { result.latencies.percentile($0) },
                archive: [settled.p50, settled.p99, settled.p999],
                microseconds: used.filter { $0.key != Processes.others }.mapValues { $0 * 1e6 / orders },
                commits: (after.commits - counters.commits) / orders,
                walBytes: (after.walBytes - counters.walBytes) / orders, peaks: peaks,
                othersShare: max(0, used[Processes.others] ?? 0) / wall
                    / Double(ProcessInfo.processInfo.activeProcessorCount))
        }
        return (figures, result, start)
    }

    /// Figures only for books that agree.
    private func checked(
        _ scenario: Scenario, _ figures: (Int) -> Figures, _ results: [LoadResult], since: Date, measuredSince: Date,
        _ before: Ledger
    ) async throws -> BenchReport.Row {
        let ledger = try await databases.ledger(since: Self.firstID(at: since))
        var disagreements = ledger.disagreements(points: before.points, available: before.available)
        let accepted = results.reduce(0) { $0 + $1.accepted }
        let unanswered = results.reduce(0) { $0 + $1.unanswered }
        if !(accepted...(accepted + unanswered)).contains(ledger.orders.count) {
            disagreements.append(
                "\(accepted) orders were accepted and \(unanswered) not answered, \(ledger.orders.count) exist")
        }
        let first = Self.firstID(at: measuredSince)
        let settled = ledger.settled.count { $0.id >= first }
        if settled == 0 { disagreements.append("no order was settled") }
        return BenchReport.Row(
            scenario: scenario, figures: disagreements.isEmpty ? figures(settled) : nil, disagreements: disagreements)
    }

    /// The least id that an order can have which is made at `date` or later: the first 48 bits are milliseconds since
    /// 1970 (RFC 9562, version 7).
    static func firstID(at date: Date) -> String {
        let most = Double(1 << 48 - 1)
        let digits = String(Int(max(0, min(date.timeIntervalSince1970 * 1000, most))), radix: 16)
        let padded = String(repeating: "0", count: 12 - digits.count) + digits
        return "\(padded.prefix(8))-\(padded.suffix(4))-7000-8000-000000000000"
    }
}
