/// Orders that a trial places: in which mode, and whether points are spent.
struct OrderKind: Sendable {
    /// As `POST /orders` takes it: JSON.
    let mode: String
    var spends = true
    var skus = ["tea", "cup"]

    static let message = OrderKind(mode: #""message""#, spends: false)
    static let centre = OrderKind(mode: #""centre""#, spends: false)
    static let xa = OrderKind(mode: #""xa""#)

    /// Stock has user-points take the points.
    static let tree = OrderKind(mode: #"{"stock": "at", "points": "tcc", "pointsVia": "stock"}"#)
    /// Of a product whose stock Redis counts: mode `mt`.
    static let flash = OrderKind(mode: #""tcc""#, spends: false, skus: [flashProduct])
    /// Made when it is needed.
    static let flashProduct = "flash-tea"

    /// Both participants have a part.
    static let spending = [
        OrderKind(mode: #""at""#), OrderKind(mode: #""tcc""#), xa, OrderKind(mode: #""saga""#),
        OrderKind(mode: #"{"stock": "at", "points": "tcc"}"#),
    ]
    static let global = [OrderKind(mode: #""tcc""#, spends: false)] + spending
    static let all = [message, centre] + global

    var isFlash: Bool { skus == [Self.flashProduct] }

    /// The `number`th order of a trial. Every ninth is of somebody whom nobody knows: it is compensated.
    func body(_ number: Int) -> String {
        let isUnknown = number % 9 == 8
        let user = isUnknown ? "nobody" : spends ? "alice" : ["bob", "carol"][number % 2]
        return """
            {"userName": "\(user)", "items": [{"sku": "\(skus[number % skus.count])", "quantity": \(1 + number % 3)}], \
            "mode": \(mode), "spendPoints": \(spends && !isUnknown ? 1 : 0)}
            """
    }
}
