import Foundation
import SettlePostgres
import Settle

/// What is asked about orders.
struct OrderStore: Sendable {
    let database: PostgresDatabase
    let tasks: TaskStore
    let producer: MessageProducer

    func order(_ id: UUID) async throws -> OrderDetails? {
        async let records = tasks.tasks(about: id.uuidString.lowercased())
        let rows = try await database.query("SELECT \(Order.columns) FROM orders WHERE id = $1", [.uuid(id)])
        guard let row = rows.first else { return nil }
        let order = try Order(row: row)
        let tasks = try await records
        guard order.mode == .centre, order.xid == nil else { return OrderDetails(order: order, steps: .tasks(tasks)) }
        return OrderDetails(order: order, steps: .messages(try await producer.messages(about: order.key)))
    }

    /// The order that came with `idempotencyKey`, and whether its request was the same.
    func order(idempotencyKey: String, fingerprint: String) async throws -> (order: Order, isSame: Bool)? {
        let rows = try await database.query(
            """
            SELECT \(Order.columns), request_hash = sha256(convert_to($2, 'UTF8')) FROM orders
            WHERE idempotency_key = $1
            """, [.text(idempotencyKey), .text(fingerprint)])
        return try rows.first.map { (try Order(row: $0), try $0.decode(Bool.self, at: 12)) }
    }

    /// A page of orders, newest first, and where the next page begins.
    ///
    /// No index holds the status, so that settling an order writes none. With a status the look is therefore bounded: a
    /// page may have fewer orders than `limit`, or none, and still be followed by others.
    func orders(
        userName: String?, status: String?, before: UUID?, limit: Int
    ) async throws -> (orders: [Order], next: UUID?) {
        var filter = OrderFilter()
        // Only the conditions that are asked for: a plan for all of them at once would read the table for each.
        if let userName { filter.require("user_name =", .text(userName)) }
        if let before { filter.require("id <", .uuid(before)) }
        guard let status else {
            let page = "SELECT \(Order.columns) FROM orders\(filter.clause) ORDER BY id DESC LIMIT \(filter.next)"
            let orders = try await database.query(page, filter.values + [.int(limit)]).map(Order.init(row:))
            return (orders, orders.count == limit ? orders.last?.id : nil)
        }
        let looked = "SELECT * FROM orders\(filter.clause) ORDER BY id DESC LIMIT \(Self.look)"
        let lastLooked = "SELECT id FROM orders\(filter.clause) ORDER BY id DESC OFFSET \(Self.look - 1) LIMIT 1"
        let (last, page) = try await database.transaction { [filter] transaction in
            let page = transaction.add(
                """
                SELECT \(Order.columns) FROM (\(looked)) AS orders WHERE status = \(filter.next)
                ORDER BY id DESC LIMIT $\(filter.values.count + 2)
                """, filter.values + [.text(status), .int(limit)])
            let end = try transaction.query(lastLooked, filter.values)
            return (end, try transaction.rows(of: page))
        }
        let orders = try page.map(Order.init(row:))
        if orders.count == limit { return (orders, orders.last?.id) }
        return (orders, try last.first?.decode(UUID.self, at: 0))
    }

    /// How many orders are looked at for those of one status.
    private static let look = 5_000
}

/// The conditions of a question, with their parameters.
private struct OrderFilter {
    private var conditions: [String] = []
    private(set) var values: [PostgresValue] = []

    var clause: String { conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ") }
    /// The first parameter that is free.
    var next: String { "$\(values.count + 1)" }

    mutating func require(_ condition: String, _ value: PostgresValue) {
        conditions.append("\(condition) \(next)")
        values.append(value)
    }
}
