/// The shop's services.
enum Role: String, CaseIterable, Sendable {
    case order
    case stock
    case userPoints = "user-points"
    /// Not in `allCases`: only orders in mode `centre` need it.
    case messageCentre = "message-centre"

    /// Those that every suite runs.
    static let allCases: [Role] = [.order, .stock, .userPoints]
    static let everyone = allCases + [.messageCentre]

    /// What its database and its database role are called, after a prefix of the suite's own.
    var databaseName: String {
        switch self {
        case .order: "order"
        case .stock: "stock"
        case .userPoints: "points"
        case .messageCentre: "messages"
        }
    }
}
