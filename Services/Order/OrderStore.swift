import Foundation
import Postgres
import Settle

/// What is asked about orders.
struct OrderStore: Sendable {
    let database: PostgresDatabase
    let tasks: TaskStore

    func order(_ id: UUID) async throws -> OrderDetails? {
        async let records = tasks.tasks(about: id.uuidString.lowercased())
        let rows = try await database.query("SELECT \(Order.columns) FROM orders WHERE id = $1", [.uuid(id)])
        guard let row = rows.first else { return nil }
        return OrderDetails(order: try Order(row: row), tasks: try await records)
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

    /// Newest first: ids are in the order of time.
    func orders(userName: String?, status: String?, before: UUID?, limit: Int) async throws -> [Order] {
        try await database.query(
            """
            SELECT \(Order.columns) FROM orders
            WHERE ($1::text IS NULL OR user_name = $1) AND ($2::text IS NULL OR status = $2)
              AND ($3::uuid IS NULL OR id < $3)
            ORDER BY id DESC LIMIT $4
            """,
            [
                userName.map { .text($0) } ?? .null, status.map { .text($0) } ?? .null,
                before.map { .uuid($0) } ?? .null, .int(limit),
            ]
        ).map(Order.init(row:))
    }
}
