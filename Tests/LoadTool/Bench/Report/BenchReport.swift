/// All that one run of the benchmark found.
struct BenchReport: Codable, Sendable {
    /// Where and how it was measured.
    struct Machine: Codable, Sendable {
        let processor: String
        let cores: Int
        let memoryBytes: Int
        let postgres: String
        /// Settings of PostgreSQL that say what a commit is worth.
        let settings: [String: String]
        /// Of the services and the load: release or debug.
        let build: String
    }

    /// What the parts do alone.
    struct Floor: Codable, Sendable {
        /// pgbench with order's statements: before the first run, and after each.
        var ordersPerSecond: [Double]
        let broker: BrokerFloor
    }

    struct Row: Codable, Sendable {
        let scenario: Scenario
        /// Nil where the books did not agree in the end.
        let figures: Figures?
        /// What did not agree.
        var disagreements: [String] = []
        /// Orders a second that PostgreSQL alone wrote just before the run and just after it, on average.
        var floor: Double?
    }

    let machine: Machine
    var floor: Floor?
    var rows: [Row] = []
    var idle: IdleCost?
}

/// What one run cost and gave.
struct Figures: Codable, Sendable {
    /// Of which latencies are kept, for the table and the picture.
    static let percents = [50, 75, 90, 95, 99, 99.5, 99.9, 99.99]

    let placedPerSecond: Double
    /// Until the last of them was archived.
    let settledPerSecond: Double
    let errors: Int
    let errorSummary: String
    /// Of the request, from its intended start, in milliseconds: one for each of `percents`.
    let request: [Double]
    /// From the order's commit to its archive, in milliseconds: p50, p99, p99.9.
    let archive: [Double?]
    /// Processor time of a settled order by process, in microseconds.
    let microseconds: [String: Double]
    let commits: Double
    let walBytes: Double
    /// The most memory, in bytes.
    let peaks: [String: Int]
    /// How much of the machine something else had, 0 to 1.
    let othersShare: Double

    func request(at percent: Double) -> Double? {
        Self.percents.firstIndex(of: percent).flatMap { request.indices.contains($0) ? request[$0] : nil }
    }
}
