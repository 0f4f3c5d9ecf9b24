import Foundation

/// What a client asks for.
struct OrderDraft: Sendable, Encodable {
    struct Item: Sendable, Codable, Hashable {
        let sku: String
        let quantity: Int
    }

    /// One mode for both participants, or one for each.
    enum Mode: Sendable, Encodable, Hashable {
        case message
        case all(String)
        case mixed(stock: String, points: String)

        private enum CodingKeys: CodingKey { case stock, points }

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .message: try "message".encode(to: encoder)
            case .all(let mode): try mode.encode(to: encoder)
            case .mixed(let stock, let points):
                var values = encoder.container(keyedBy: CodingKeys.self)
                try values.encode(stock, forKey: .stock)
                try values.encode(points, forKey: .points)
            }
        }
    }

    var userName: String
    var items: [Item]
    var mode = Mode.message
    var spendPoints = 0

    init(_ userName: String, _ items: KeyValuePairs<String, Int>) {
        self.userName = userName
        self.items = items.map { Item(sku: $0.key, quantity: $0.value) }
    }

    /// The `number`th of a varied row of orders by the three seeded users, all of which can be served.
    static func varied(_ number: Int) -> OrderDraft {
        let user = Seed.users[number % 3]
        return switch number % 4 {
        case 0: OrderDraft(user, ["tea": 2])
        case 1: OrderDraft(user, ["cup": 1, "tea": 1])
        case 2: OrderDraft(user, ["kettle": 1])
        default: OrderDraft(user, ["kettle": 1, "tea": 3, "cup": 2])
        }
    }

    /// The same in each of `modes` in turn, spending `points`.
    static func varied(_ number: Int, in modes: [Mode], spending points: Int) -> OrderDraft {
        var draft = varied(number)
        draft.mode = modes[number % modes.count]
        draft.spendPoints = points
        return draft
    }

    /// The `number`th of a varied row, but every seventh is by somebody whom user-points does not know: its stock must come back.
    static func mixed(_ number: Int) -> OrderDraft {
        var draft = varied(number)
        if number % 7 == 3 { draft.userName = "nobody" }
        return draft
    }

    var json: [UInt8] {
        get throws { Array(try JSONEncoder().encode(self)) }
    }
}

/// What a suite holds before the first order.
enum Seed {
    static let users = ["alice", "bob", "carol"]
    static let points = 1_000
    static let products = ["tea": 120, "cup": 800, "kettle": 4_500]
    static let available = 1_000_000
}
