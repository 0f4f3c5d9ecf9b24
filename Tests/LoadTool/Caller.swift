import SettleTestSupport

/// The orders of one mode, with a user and a product of their own: what must be there in the end is known.
struct Caller: Sendable {
    private static let stock = 1_000_000
    private static let points = 1_000_000
    private static let price = 7
    private static let spent = 2

    let mode: OrderDraft.Mode
    /// Of its user and its product.
    let name: String

    /// One for each way in which an order can go.
    static func all(_ run: String) -> [Caller] {
        [
            OrderDraft.Mode.message, .all("at"), .all("tcc"), .all("xa"), .all("saga"),
            .centre, .mixed(stock: "at", points: "tcc"),
        ]
        .enumerated().map { Caller(mode: $1, name: "\(run)-\($0)") }
    }

    private var spends: Int { if case .mixed = mode { Self.spent } else { 0 } }

    func prepare(_ shop: Shop) async throws {
        try await shop.makeUser(name, points: Self.points)
        try await shop.makeProduct(name, price: Self.price, available: Self.stock)
    }

    /// Its `number`th order.
    func draft(_ number: Int) -> OrderDraft {
        var draft = OrderDraft(name, [name: number % 3 + 1])
        draft.mode = mode
        draft.spendPoints = spends
        return draft
    }

    /// What is not as it must be after so many orders, nil in the end.
    func disagreement(_ shop: Shop, after count: Int) async throws -> String? {
        let quantity = (0..<count).reduce(0) { $0 + $1 % 3 + 1 }
        let points = Self.points + quantity * Self.price - 2 * spends * count
        let expected = "\(count) settled; \(Self.stock - quantity)+0; \(points); \(min(count, 200)) in the log"
        let stock = try await shop.stock(of: name)
        let log = Set(try await shop.pointLog(of: name))
        let statuses = try await shop.statuses(of: name).sorted { $0.key < $1.key }
        let orders = statuses.isEmpty ? "0 settled" : statuses.map { "\($1) \($0)" }.joined(separator: ", ")
        let seen = """
            \(orders); \(stock.available)+\(stock.reserved); \(try await shop.points(of: name)); \(log.count) in the log
            """
        return seen == expected ? nil : "\(mode): saw \(seen); expected \(expected)"
    }
}
