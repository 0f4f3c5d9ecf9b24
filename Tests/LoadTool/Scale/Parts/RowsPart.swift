/// What an order costs beside so many others that are long settled.
struct RowsPart {
    let counts: [Int]

    func run(_ setting: ScaleSetting) async throws -> [ScaleReport.Run] {
        var runs: [ScaleReport.Run] = []
        for count in counts {
            try await setting.empty()
            MeasuredSuite.say("\(count) rows in each table")
            try await TableFill(setting.databases).fill(count)
            for mode in setting.modes {
                runs.append(
                    try await setting.run(.rows, "\(count)", Scenario(mode: mode, pace: .closed(clients: 32))))
            }
        }
        try await setting.empty()
        return runs
    }
}
