import Foundation
import SettleServiceKit
import Settle

/// How an order's stock is taken, and its points spent.
enum OrderMode: Sendable, Equatable {
    /// By tasks, after the order is written.
    case message
    /// The same, by messages that the message centre keeps.
    case centre
    /// Under a global transaction, before it is written; each participant in its own mode.
    case global(stock: BranchMode, points: BranchMode, via: PointsVia = .order)

    /// Who calls user-points.
    enum PointsVia: String, Sendable {
        case order
        /// Stock does, when it has taken the items: order → stock → user-points.
        case stock
    }
}

extension OrderMode: Codable {
    private enum CodingKeys: String, CodingKey { case stock, points, pointsVia }

    /// One mode for all, or one for each participant: `"at"`, or `{"stock": "at", "points": "tcc"}`, and there who calls
    /// user-points: `"pointsVia": "stock"`.
    init(from decoder: any Decoder) throws {
        if let text = try? decoder.singleValueContainer().decode(String.self) {  // not a text: then an object
            if let mode = Self.sent[text] {
                self = mode
            } else if let mode = BranchMode(asked: text) {
                self = .global(stock: mode, points: mode)
            } else {
                throw Problem.unprocessable("mode must be at, tcc, xa, saga, message or centre")
            }
            return
        }
        guard let values = try? decoder.container(keyedBy: CodingKeys.self) else {  // neither: then the problem says so
            throw Problem.unprocessable("mode must be a text, or an object with stock and points")
        }
        func mode(_ key: CodingKeys) throws -> BranchMode {
            let text = try values.decode(String.self, forKey: key)
            guard let mode = BranchMode(asked: text) else {
                throw Problem.unprocessable("mode.\(key.rawValue) must be at, tcc, xa or saga")
            }
            return mode
        }
        let via = try values.decodeIfPresent(String.self, forKey: .pointsVia) ?? PointsVia.order.rawValue
        guard let via = PointsVia(rawValue: via) else {
            throw Problem.unprocessable("mode.pointsVia must be order or stock")
        }
        self = .global(stock: try mode(.stock), points: try mode(.points), via: via)
    }

    /// As it was given.
    func encode(to encoder: any Encoder) throws {
        switch self {
        case .global(let stock, let points, let via) where stock != points || via != .order:
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(stock.rawValue, forKey: .stock)
            try values.encode(points.rawValue, forKey: .points)
            if via != .order { try values.encode(via.rawValue, forKey: .pointsVia) }
        default:
            var value = encoder.singleValueContainer()
            try value.encode(column)
        }
    }
}

extension OrderMode {
    /// As it stands in `orders.mode`: `at`, `at+tcc` for stock and points, or `at+tcc+stock` where stock calls user-points.
    var column: String {
        switch self {
        case .message: "message"
        case .centre: "centre"
        case .global(let stock, let points, .stock): "\(stock.rawValue)+\(points.rawValue)+\(PointsVia.stock.rawValue)"
        case .global(let stock, let points, .order):
            stock == points ? stock.rawValue : "\(stock.rawValue)+\(points.rawValue)"
        }
    }

    /// Those whose stock is taken after the order is written, by their names.
    private static let sent: [String: OrderMode] = ["message": .message, "centre": .centre]  // ours

    /// Whether the order is written first, and its stock and points follow.
    var isSent: Bool { self == .message || self == .centre }

    init?(column: String) {
        if let mode = Self.sent[column] {
            self = mode
            return
        }
        let parts = column.split(separator: "+").map(String.init)
        let modes = parts.compactMap { BranchMode(rawValue: $0) }
        guard let stock = modes.first, let points = modes.last else { return nil }
        self = .global(stock: stock, points: points, via: parts.last.flatMap { PointsVia(rawValue: $0) } ?? .order)
    }
}

extension BranchMode {
    /// Nil for `mt`, too: flash items go by it, and only they, whatever is asked for.
    fileprivate init?(asked text: String) {
        guard let mode = BranchMode.local.first(where: { $0.rawValue == text }) else { return nil }
        self = mode
    }
}
