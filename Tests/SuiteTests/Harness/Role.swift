/// The three services.
enum Role: String, CaseIterable, Sendable {
    case order
    case stock
    case userPoints = "user-points"

    /// What its database and its database role are called, after a prefix of the suite's own.
    var databaseName: String {
        switch self {
        case .order: "order"
        case .stock: "stock"
        case .userPoints: "points"
        }
    }
}
