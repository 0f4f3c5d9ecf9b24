import SettleCore
import Foundation
import SettlePostgres
import Settle
import ShopContract

/// A change of stock as the statements take it.
struct StockLogEntry: Sendable {
    let orderId: String
    let items: String
    let xid: String?

    init(_ change: StockChange) throws {
        orderId = change.orderId
        xid = change.xid
        // In one order, whatever order they came in: two texts of the same items must be equal.
        let sorted = change.items.sorted { ByteKey($0.sku) < ByteKey($1.sku) }
        items = String(decoding: try JSONEncoder().encode(sorted), as: UTF8.self)
    }

    static func parameters(_ entries: [StockLogEntry]) -> [PostgresValue] {
        [.texts(entries.map(\.orderId)), .texts(entries.map(\.items))]
    }

    /// What the log says of `entries` already; nil where it says nothing.
    static func decided(
        _ entries: [StockLogEntry], _ action: String, in database: PostgresDatabase
    ) async throws -> [TaskOutcome?] {
        try outcomes(
            of: await database.query(
                """
                SELECT false, NULL::text, log.items = input.items::jsonb, log.rejected
                FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS input (order_id, items, n)
                LEFT JOIN stock_log log ON log.order_id = input.order_id AND log.action = $3
                ORDER BY n
                """, parameters(entries) + [.text(action)]))
    }

    /// From the columns: logged now, rejected now, logged before with the same items, rejected before.
    static func outcomes(of rows: PostgresRows) throws -> [TaskOutcome?] {
        try rows.map { row in
            if try row.decode(Bool.self, at: 0) {
                return try row.decode(String?.self, at: 1).map { .rejected(reason: $0) } ?? .applied
            }
            switch try row.decode(Bool?.self, at: 2) {
            case .none: return nil
            case .some(false): return .conflict(reason: "the order's stock was decided for other items")
            case .some(true):
                return .duplicate(try row.decode(String?.self, at: 3).map { .rejected(reason: $0) } ?? .finished)
            }
        }
    }
}

extension StockChange {
    /// Throws `UnreadableMessage` when the values make no sense.
    func check() throws {
        guard (1...255).contains(orderId.unicodeScalars.count), !orderId.unicodeScalars.contains("\0") else {
            throw UnreadableMessage(description: "orderId must have 1 to 255 characters")
        }
        guard (1...100).contains(items.count), items.map(\.sku).byteKeys.count == items.count else {
            throw UnreadableMessage(description: "items must be 1 to 100 different products")
        }
        for item in items {
            guard (1...1_000_000).contains(item.quantity), !item.sku.unicodeScalars.contains("\0") else {
                throw UnreadableMessage(description: "an item has an impossible sku or quantity")
            }
        }
    }
}
