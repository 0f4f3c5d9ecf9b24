/// Orders that a trial places: in which mode, and whether points are spent.
struct OrderKind: Sendable {
    /// As `POST /orders` takes it: JSON.
    let mode: String
    var spends = true

    static let message = OrderKind(mode: #""message""#, spends: false)
    static let centre = OrderKind(mode: #""centre""#, spends: false)
    static let xa = OrderKind(mode: #""xa""#)

    /// Both participants have a part.
    static let spending = [
        OrderKind(mode: #""at""#), OrderKind(mode: #""tcc""#), xa, OrderKind(mode: #""saga""#),
        OrderKind(mode: #"{"stock": "at", "points": "tcc"}"#),
    ]
    static let global = [OrderKind(mode: #""tcc""#, spends: false)] + spending
    static let all = [message, centre] + global

    /// The `number`th order of a trial. Every ninth is of somebody whom nobody knows: it is compensated.
    func body(_ number: Int) -> String {
        let isUnknown = number % 9 == 8
        let user = isUnknown ? "nobody" : spends ? "alice" : ["bob", "carol"][number % 2]
        return """
            {"userName": "\(user)", "items": [{"sku": "\(["tea", "cup"][number % 2])", "quantity": \(1 + number % 3)}], \
            "mode": \(mode), "spendPoints": \(spends && !isUnknown ? 1 : 0)}
            """
    }
}
