import SettleTestSupport

/// The ways of a global transaction that tests go through.
extension OrderDraft.Mode {
    static let names = ["at", "tcc", "xa", "saga"]
    /// Both participants in the same mode.
    static let each = names.map { Self.all($0) }
    /// Every pair of different ones.
    static let pairs = names.flatMap { stock in
        names.filter { $0 != stock }.map { Self.mixed(stock: stock, points: $0) }
    }
    /// Stock calls user-points: each mode once here and once there.
    static let trees: [OrderDraft.Mode] = [
        .tree(stock: "at", points: "tcc"), .tree(stock: "tcc", points: "at"), .tree(stock: "xa", points: "saga"),
        .tree(stock: "saga", points: "xa"),
    ]
    /// Each, and two mixtures.
    static let some = each + [.mixed(stock: "at", points: "tcc"), .mixed(stock: "xa", points: "saga")]

    var stock: String {
        switch self {
        case .message: "message"
        case .centre: "centre"
        case .all(let mode), .mixed(let mode, _), .tree(let mode, _): mode
        }
    }

    var points: String {
        switch self {
        case .message, .centre, .all: stock
        case .mixed(_, let mode), .tree(_, let mode): mode
        }
    }

    var name: String {
        switch self {
        case .message: "message"
        case .centre: "centre"
        case .all(let mode): mode
        case .mixed(let stock, let points): "\(stock)+\(points)"
        case .tree(let stock, let points): "\(stock)+\(points)+stock"
        }
    }
}
