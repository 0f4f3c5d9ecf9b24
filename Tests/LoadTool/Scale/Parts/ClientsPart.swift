/// What an order costs, and how long it takes, with so many clients at once.
struct ClientsPart {
    let counts: [Int]

    func run(_ setting: ScaleSetting) async throws -> [ScaleReport.Run] {
        var runs: [ScaleReport.Run] = []
        for mode in setting.modes {
            for count in counts {
                runs.append(
                    try await setting.run(.clients, "\(count)", Scenario(mode: mode, pace: .closed(clients: count))))
            }
        }
        return runs
    }
}
