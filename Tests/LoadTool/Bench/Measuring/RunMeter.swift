import Foundation

/// What a run has cost since its beginning.
struct RunMeter: Sendable {
    private let databases: BenchDatabases
    private let processes: Processes
    private let counters: BenchDatabases.Counters
    private let times: [String: Double]
    let start: Date

    /// Begins now.
    ///
    /// - Parameter keepsPeaks: whether the most memory counts from an earlier time on.
    init(_ databases: BenchDatabases, _ processes: Processes, keepsPeaks: Bool = false) async throws {
        if !keepsPeaks { processes.resetPeaks() }
        (self.databases, self.processes) = (databases, processes)
        (counters, times, start) = (try await databases.counters(), try processes.times(), Date())
    }

    /// To be asked when everything has settled.
    ///
    /// - Parameters:
    ///   - result: what the clients saw.
    ///   - placedSince: when the first of the orders was placed, where that was not at the beginning.
    /// - Returns: the figures for as many settled orders as the books say.
    func figures(
        _ result: LoadResult, placedSince: Date? = nil
    ) async throws -> @Sendable (_ settled: Int) -> Figures {
        let used = try processes.times().merging(times) { $0 - $1 }
        let wall = -start.timeIntervalSinceNow
        let (after, peaks) = (try await databases.counters(), processes.peaks())
        let settled = try await databases.settled(since: BenchRun.firstID(at: placedSince ?? start))
        let settling = settled.end - start.timeIntervalSince1970
        return { [counters] count in
            let orders = Double(max(1, count))
            return Figures(
                placedPerSecond: Double(result.accepted) / max(result.elapsed / .seconds(1), 0.001),
                settledPerSecond: Double(count) / max(settling, 0.001),
                errors: result.errors, errorSummary: result.errorSummary,
                request: Figures.percents.compactMap { result.latencies.percentile($0) },
                archive: [settled.p50, settled.p99, settled.p999],
                microseconds: used.filter { $0.key != Processes.others }.mapValues { $0 * 1e6 / orders },
                commits: (after.commits - counters.commits) / orders,
                walBytes: (after.walBytes - counters.walBytes) / orders, peaks: peaks,
                othersShare: max(0, used[Processes.others] ?? 0) / wall
                    / Double(ProcessInfo.processInfo.activeProcessorCount))
        }
    }
}
