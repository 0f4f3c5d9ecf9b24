import Foundation

/// What the suite costs while nobody asks anything of it.
struct IdleCost: Sendable, Codable {
    let seconds: Double
    /// Processor time by process, as a share of one core, 0 to 1.
    let shares: [String: Double]

    /// All processes together.
    var total: Double { shares.values.reduce(0, +) }

    /// Measures for `duration`, once everything has settled and PostgreSQL has nothing left to clear up.
    static func measure(_ databases: BenchDatabases, _ processes: Processes, for duration: Duration) async throws
        -> IdleCost
    {
        try await databases.vacuum()
        try await databases.checkpoint()
        // What follows a load, as the writing of statistics, is not idle yet.
        try await Task.sleep(for: .seconds(3))
        let (before, start) = (try processes.times(), ContinuousClock.now)
        try await Task.sleep(for: duration)
        let (after, seconds) = (try processes.times(), (ContinuousClock.now - start) / .seconds(1))
        return IdleCost(
            seconds: seconds,
            shares: after.merging(before) { $0 - $1 }.filter { ![Processes.load, Processes.others].contains($0.key) }
                .mapValues { $0 / seconds })
    }

    var text: String {
        let parts = BenchReport.processes.compactMap { name in
            shares[name].map { "\(name) \(($0 * 100).short)" }
        }
        return
            "idle, % of one core over \(seconds.short) s: \(parts.joined(separator: ", ")); together \((total * 100).short)\n"
    }
}
