/// What an order costs when each service runs several times: on the same processors it should cost no more.
struct ReplicasPart {
    private static let services = ["user-points", "stock", "order"]

    let most: Int

    func run(_ setting: ScaleSetting) async throws -> [ScaleReport.Run] {
        var setting = setting
        var added: [Int] = []
        var runs: [ScaleReport.Run] = []
        for count in 1...most {
            if count > 1 { added += try await addSet(count, to: &setting) }
            for mode in setting.modes {
                runs.append(
                    try await setting.run(.replicas, "\(count)", Scenario(mode: mode, pace: .closed(clients: 32))))
            }
        }
        try await setting.started.stop(added)
        return runs
    }

    /// One more of each, and their process ids. The order of a set calls the stock and the user-points of its own set, so
    /// that calls are shared out, too; messages go to whoever takes them.
    private func addSet(_ number: Int, to setting: inout ScaleSetting) async throws -> [Int] {
        let base = setting.ports.order + 10 * number
        let places = [
            "order": ("ORDER_URL", base), "stock": ("STOCK_URL", base + 1), "user-points": ("POINTS_URL", base + 2),
        ]
        let urls = Dictionary(uniqueKeysWithValues: places.values.map { ($0.0, "http://127.0.0.1:\($0.1)") })
        var added: [Int] = []
        for name in Self.services {
            guard let first = setting.processes.ids[name]?.first, let port = places[name]?.1 else { continue }
            let image = try ServiceImage(of: first)
            added.append(try await setting.started.start(name, image, urls, port: port))
            setting.processes.add(added[added.count - 1], to: name)
        }
        setting.orderPorts.append(base)
        return added
    }
}
