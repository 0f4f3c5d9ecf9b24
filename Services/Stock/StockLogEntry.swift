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
        try decided(of: await database.query(known, parameters(entries) + [.text(action)]))
    }

    /// LIMIT keeps it a look for each order, by the key, whatever the planner thinks of the table; here and elsewhere.
    static let known = """
        SELECT log.items = input.items::jsonb, log.rejected
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS input (order_id, items, n)
        LEFT JOIN LATERAL (
            SELECT items, rejected FROM stock_log l WHERE l.order_id = input.order_id AND l.action = $3 LIMIT 1
        ) log ON true
        ORDER BY n
        """

    /// From the rows of `known`, one for each entry.
    static func decided(of rows: PostgresRows) throws -> [TaskOutcome?] {
        try rows.map { row in
            switch try row.decode(Bool?.self, at: 0) {
            case .none: nil
            case .some(false): .conflict(reason: "the order's stock was decided for other items")
            case .some(true):
                .duplicate(try row.decode(String?.self, at: 1).map { .rejected(reason: $0) } ?? .finished)
            }
        }
    }

    /// What became of `entries` by a statement that answers with those that it has logged, and why if it rejected one; nil
    /// for the others.
    static func outcomes(of entries: [StockLogEntry], logged rows: PostgresRows) throws -> [TaskOutcome?] {
        let logged = try rows.reduce(into: [ByteKey: TaskOutcome]()) { logged, row in
            logged[ByteKey(try row.decode(String.self, at: 0))] =
                try row.decode(String?.self, at: 1).map { .rejected(reason: $0) } ?? .applied
        }
        return entries.map { logged[ByteKey($0.orderId)] }
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
