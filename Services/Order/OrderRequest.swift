import SettleCore
import Foundation
import SettleServiceKit
import Settle
import ShopContract

/// The body of `POST /orders`.
struct OrderRequest: Decodable, Sendable {
    let userName: String
    let items: [StockItem]
    let mode: OrderMode
    let spendPoints: Int64

    private enum CodingKeys: CodingKey { case userName, items, mode, spendPoints }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        userName = try values.decode(String.self, forKey: .userName)
        items = try values.decode([StockItem].self, forKey: .items)
        mode = try values.decodeIfPresent(OrderMode.self, forKey: .mode) ?? .global(stock: .at, points: .at)
        spendPoints = try values.decodeIfPresent(Int64.self, forKey: .spendPoints) ?? 0
    }

    /// Throws the problem that names the first field that is out of range.
    func check() throws {
        try Check.length("userName", userName, 1...64)
        try Check.range("items", items.count, in: 1...100)
        for (index, item) in items.enumerated() {
            try Check.length("items[\(index)].sku", item.sku, 1...64)
            try Check.range("items[\(index)].quantity", item.quantity, in: 1...1_000_000)
        }
        guard items.map(\.sku).byteKeys.count == items.count else {
            throw Problem.unprocessable("items names a sku twice")
        }
        guard spendPoints >= 0 else { throw Problem.unprocessable("spendPoints must not be negative") }
        guard spendPoints == 0 || !mode.isSent else {
            throw Problem.unprocessable("spendPoints must be 0 in mode '\(mode.column)'")
        }
    }

    /// The same for two requests that ask for the same thing.
    var fingerprint: String {
        ([userName, mode.column, String(spendPoints)] + items.flatMap { [$0.sku, String($0.quantity)] })
            .map { "\($0.utf8.count):\($0)" }.joined()
    }
}
