/// One way of placing orders.
struct Scenario: Sendable, Hashable, Codable {
    static let modes = ["message", "at", "tcc", "xa", "saga", "centre", flash]
    /// Those that a quick look has room for.
    static let quickModes = modes.dropLast(2)
    /// Everybody buys the one flash product, which goes by `mt`.
    static let flash = "flash"

    let mode: String
    let pace: Schedule.Pace
    /// How many products are bought, all alike often.
    var products = Self.all
    /// Whether each order has an Idempotency-Key of its own.
    var hasKey = false
    /// Whether each spends points, by a second branch.
    var spendsPoints = false

    static let all = 1_000
    static let hot = 3

    var name: String {
        var parts = [mode]
        if case .open(let perSecond) = pace { parts.append("\(perSecond)/s") }
        if products < Self.all, mode != Self.flash { parts.append("\(products) hot") }
        if hasKey { parts.append("key") }
        if spendsPoints { parts.append("points") }
        return parts.joined(separator: ", ")
    }

    /// All that make sense, in the order of the table.
    ///
    /// - Parameters:
    ///   - modes: the modes that are asked for.
    ///   - isQuick: the plain ones in every mode, of the others one or two modes each.
    static func plan(modes: [String], clients: Int, perSecond: Int, isQuick: Bool) -> [Scenario] {
        let closed = Schedule.Pace.closed(clients: clients)
        let flash = modes.filter { $0 == Self.flash }
        let modes = modes.filter { $0 != Self.flash }
        func some(_ few: [String]) -> [String] { modes.filter { !isQuick || few.contains($0) } }
        return modes.map { Scenario(mode: $0, pace: closed) }
            // Beside it those that can be compared with it, at one product too.
            + (flash.isEmpty ? [] : flash + modes.filter { ["tcc", "at"].contains($0) })
            .map { Scenario(mode: $0, pace: closed, products: 1) }
            + some(["tcc", "at"]).map { Scenario(mode: $0, pace: closed, products: hot) }
            + some(["message"]).map { Scenario(mode: $0, pace: closed, hasKey: true) }
            // Mode message has none to spend.
            + some(["tcc"]).filter { $0 != "message" }.map { Scenario(mode: $0, pace: closed, spendsPoints: true) }
            + some(["message", "tcc"]).map { Scenario(mode: $0, pace: .open(perSecond: perSecond)) }
    }
}
