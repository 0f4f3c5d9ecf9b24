import Foundation

/// What a client asks for.
package struct OrderDraft: Sendable, Encodable {
    package struct Item: Sendable, Codable, Hashable {
        package let sku: String
        package let quantity: Int

        package init(sku: String, quantity: Int) {
            (self.sku, self.quantity) = (sku, quantity)
        }
    }

    /// One mode for both participants, or one for each.
    package enum Mode: Sendable, Encodable, Hashable {
        case message
        case centre
        case all(String)
        case mixed(stock: String, points: String)
        /// Stock calls user-points.
        case tree(stock: String, points: String)

        private enum CodingKeys: CodingKey { case stock, points, pointsVia }

        package func encode(to encoder: any Encoder) throws {
            switch self {
            case .message: try "message".encode(to: encoder)
            case .centre: try "centre".encode(to: encoder)
            case .all(let mode): try mode.encode(to: encoder)
            case .mixed(let stock, let points), .tree(let stock, let points):
                var values = encoder.container(keyedBy: CodingKeys.self)
                try values.encode(stock, forKey: .stock)
                try values.encode(points, forKey: .points)
                if case .tree = self { try values.encode("stock", forKey: .pointsVia) }
            }
        }
    }

    package var userName: String
    package var items: [Item]
    package var mode = Mode.message
    package var spendPoints = 0

    package init(_ userName: String, _ items: KeyValuePairs<String, Int>) {
        self.userName = userName
        self.items = items.map { Item(sku: $0.key, quantity: $0.value) }
    }

    /// The `number`th of a varied row of orders by the three seeded users, all of which can be served.
    package static func varied(_ number: Int) -> OrderDraft {
        let user = Seed.users[number % 3]
        return switch number % 4 {
        case 0: OrderDraft(user, ["tea": 2])
        case 1: OrderDraft(user, ["cup": 1, "tea": 1])
        case 2: OrderDraft(user, ["kettle": 1])
        default: OrderDraft(user, ["kettle": 1, "tea": 3, "cup": 2])
        }
    }

    /// The same in each of `modes` in turn, spending `points`.
    package static func varied(_ number: Int, in modes: [Mode], spending points: Int) -> OrderDraft {
        var draft = varied(number)
        draft.mode = modes[number % modes.count]
        draft.spendPoints = points
        return draft
    }

    /// The `number`th of a varied row, but every seventh is by somebody whom user-points does not know: its stock must come back.
    package static func mixed(_ number: Int) -> OrderDraft {
        var draft = varied(number)
        if number % 7 == 3 { draft.userName = "nobody" }
        return draft
    }

    package var json: [UInt8] {
        get throws { Array(try JSONEncoder().encode(self)) }
    }
}

/// What a suite holds before the first order.
package enum Seed {
    package static let users = ["alice", "bob", "carol"]
    package static let points = 1_000
    package static let products = ["tea": 120, "cup": 800, "kettle": 4_500]
    package static let available = 1_000_000
}
