import Foundation
import SettlePostgres

/// A run cut into equal slices of time: whether its end is like its beginning.
struct Slices: Codable, Sendable {
    struct Slice: Codable, Sendable {
        /// Orders whose last task was archived in it.
        var settled = 0
        /// From commit to archive, in milliseconds.
        var p99: Double?
        /// Of `task`, at its end.
        var deadTasks = 0
        /// One look for tasks that are due, in milliseconds.
        var claim: Double?
        /// In milliseconds a task.
        var archive: Double?
        /// Of PostgreSQL in all statements, in milliseconds an order.
        var statements: Double?
    }

    /// How long each is.
    let seconds: Double
    var slices: [Slice]
    /// What has grown most from the first to the last.
    var growth: [StatementTimes.Growth] = []

    static let count = 6

    /// Watches a run from now on, for `duration`.
    static func watch(_ databases: BenchDatabases, for duration: Duration) async throws -> Slices {
        let (begin, start) = (ContinuousClock.now, Date().timeIntervalSince1970)
        var times = [try await StatementTimes.read(databases)]
        var dead: [Int] = []
        for number in 1...count {
            try await Task.sleep(until: begin + duration * number / count)
            times.append(try await StatementTimes.read(databases))
            dead.append(try await databases.deadTasks())
        }
        let seconds = duration / .seconds(1) / Double(count)
        let settled = try await databases.settled(from: start, slice: seconds, count: count)
        return Slices(seconds: seconds, settled: settled, dead: dead, times: times)
    }

    /// - Parameters:
    ///   - settled: by slice.
    ///   - dead: dead rows of `task`, by slice.
    ///   - times: at the beginning and at the end of each slice.
    init(seconds: Double, settled: [(count: Int, p99: Double?)], dead: [Int], times: [StatementTimes]) {
        self.seconds = seconds
        let spent = zip(times, times.dropFirst()).map { $1.since($0) }
        slices = zip(settled, zip(dead, spent)).map { settled, rest in
            Slice(
                settled: settled.count, p99: settled.p99, deadTasks: rest.0, claim: rest.1.claim,
                archive: rest.1.archive,
                statements: rest.1.entries.isEmpty ? nil : rest.1.total / Double(max(1, settled.count)))
        }
        if let first = spent.first, let last = spent.last, let start = slices.first, let end = slices.last {
            growth = last.growth(since: first, orders: (start.settled, end.settled), atMost: 5)
        }
    }

    /// What the last slice settled, by the first: 1 where nothing has changed.
    var kept: Double? {
        guard let first = slices.first, let last = slices.last, first.settled > 0 else { return nil }
        return Double(last.settled) / Double(first.settled)
    }
}

extension BenchDatabases {
    /// Rows of `task` that are deleted or replaced and not cleared up, as PostgreSQL counts them.
    fileprivate func deadTasks() async throws -> Int {
        let rows = try await order.query(
            "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'task' AND schemaname = 'public'")
        return try rows.first?.decode(Int.self, at: 0) ?? 0
    }

    /// The orders that settled in each of `count` slices of `seconds` from `start` on, in seconds since 1970, and how long
    /// that took.
    fileprivate func settled(
        from start: Double, slice seconds: Double, count: Int
    ) async throws -> [(count: Int, p99: Double?)] {
        let rows = try await order.query(
            """
            SELECT floor((ended - $2) / $3)::bigint, count(*), percentile_disc(0.99) WITHIN GROUP (ORDER BY took)::float8
            FROM (SELECT extract(epoch FROM max(delete_time) - min(create_time))::float8 * 1000 AS took,
                         extract(epoch FROM max(delete_time))::float8 AS ended
                  FROM task_his WHERE business_key >= $1 GROUP BY business_key) AS orders
            WHERE ended >= $2 AND ended < $2 + $3 * $4 GROUP BY 1
            """,
            [
                .text(BenchRun.firstID(at: Date(timeIntervalSince1970: start))), .double(start), .double(seconds),
                .int(count),
            ])
        var slices = [(count: Int, p99: Double?)](repeating: (0, nil), count: count)
        for row in rows {
            let number = try row.decode(Int.self, at: 0)
            guard slices.indices.contains(number) else { continue }
            slices[number] = (try row.decode(at: 1), try row.decode(at: 2))
        }
        return slices
    }
}
