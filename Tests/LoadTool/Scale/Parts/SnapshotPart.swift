/// What becomes of a run while somebody else holds a snapshot open: nothing that was deleted since then can be cleared up.
struct SnapshotPart {
    let duration: Duration
    let perSecond: Int

    func run(_ setting: ScaleSetting) async throws -> [ScaleReport.Run] {
        var runs: [ScaleReport.Run] = []
        for mode in setting.modes {
            for pace in [Schedule.Pace.open(perSecond: perSecond), .closed(clients: 32)] {
                for isHeld in [false, true] {
                    try await setting.empty()
                    runs.append(try await run(Scenario(mode: mode, pace: pace), isHeld: isHeld, setting))
                }
            }
        }
        try await setting.empty()
        return runs
    }

    private func run(_ scenario: Scenario, isHeld: Bool, _ setting: ScaleSetting) async throws -> ScaleReport.Run {
        let what = isHeld ? "held" : "none"
        MeasuredSuite.say("snapshot \(what), \(scenario.name)")
        let (databases, duration) = (setting.databases, duration)
        let holder = isHeld ? try await SnapshotHolder(databases) : nil
        let found: (row: BenchReport.Row, seen: Slices?)
        do {
            found = try await setting.bench(for: duration).watched(scenario) {
                try await Slices.watch(databases, for: duration)
            }
        } catch {
            try await holder?.end()
            throw error
        }
        try await holder?.end()
        return ScaleReport.Run(part: .snapshot, what: what, row: found.row, slices: found.seen)
    }
}
