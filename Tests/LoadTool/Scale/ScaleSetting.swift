import Foundation
import SettleTestSupport

/// What the parts of the page share.
struct ScaleSetting {
    let databases: BenchDatabases
    let ports: ServicePorts
    var orderPorts: [Int]
    var processes: Processes
    let modes: [String]
    let duration: Duration
    /// What was started on the way; the caller ends it.
    let started: ServiceProcesses

    init(
        _ databases: BenchDatabases, _ suite: MeasuredSuite, modes: [String], duration: Duration,
        started: ServiceProcesses
    ) {
        self.databases = databases
        ports = suite.ports
        orderPorts = [suite.ports.order]
        processes = suite.processes
        self.modes = modes
        self.duration = duration
        self.started = started
    }

    /// One measured run of so many clients in `mode`.
    func run(_ part: ScalePart, _ what: String, _ scenario: Scenario) async throws -> ScaleReport.Run {
        MeasuredSuite.say("\(part), \(what), \(scenario.name)")
        return ScaleReport.Run(part: part, what: what, row: try await bench(for: duration)(scenario))
    }

    func bench(for duration: Duration) -> BenchRun {
        BenchRun(
            databases: databases, orderPorts: orderPorts, processes: processes,
            warmUp: min(.seconds(3), duration * 0.4), duration: duration)
    }

    /// The suite as it is on its first day.
    func empty() async throws {
        try await databases.drained(within: BenchRun.drainLimit)
        try await TableFill(databases).empty()
        try await databases.vacuum()
    }
}
