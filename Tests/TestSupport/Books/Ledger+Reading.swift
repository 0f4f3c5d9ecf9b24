import Foundation

extension Ledger {
    /// Whose database is asked.
    package enum Part: Sendable { case order, stock, points }

    /// Reads the books, or those of the orders from one on.
    ///
    /// - Parameters:
    ///   - first: the least order id that counts; ids are in the order of time.
    ///   - rows: runs a statement, whose only parameter is text, at a service's database; all columns as texts.
    package init(
        since first: String = "00000000-0000-0000-0000-000000000000",
        _ rows: (Part, String, _ parameters: [String]) async throws -> [[String?]]
    ) async throws {
        func amounts(_ part: Part, _ sql: String, _ parameters: [String] = []) async throws -> [String: Int] {
            Dictionary(
                try await rows(part, sql, parameters).map { (try Self.text($0[0]), try Self.number($0[1])) },
                uniquingKeysWith: { first, _ in first })
        }
        let orders = try await rows(
            .order,
            """
            SELECT id::text, idempotency_key, user_name, point, spend_points, status,
                   -- With flash items all is taken by a global transaction, as in that mode.
                   CASE WHEN mode IN ('message', 'centre') AND xid IS NOT NULL THEN 'saga' ELSE mode END,
                   (SELECT json_agg(json_build_object('sku', sku, 'quantity', quantity))
                    FROM order_item WHERE order_id = orders.id)::text
            FROM orders WHERE id >= $1::uuid
            """, [first]
        ).map { row in
            Order(
                id: try Self.text(row[0]), key: row[1], userName: try Self.text(row[2]),
                point: try Self.number(row[3]), spendPoints: try Self.number(row[4]), status: try Self.text(row[5]),
                mode: try Self.text(row[6]),
                items: try JSONDecoder().decode([OrderDraft.Item].self, from: Data(try Self.text(row[7]).utf8)))
        }
        let live = try await rows(.order, "SELECT count(*) FROM task", [])
        let archive = try await rows(
            .order, "SELECT business_key, task_type, status FROM task_his WHERE business_key >= $1", [first]
        ).map {
            ArchivedTask(order: try Self.text($0[0]), type: try Self.text($0[1]), status: try Self.text($0[2]))
        }
        self.init(
            orders: orders, liveTasks: try Self.number(live[0][0]), archive: archive,
            pointLog: try await amounts(
                .points, "SELECT order_id, point FROM point_log WHERE order_id >= $1", [first]),
            points: try await amounts(.points, "SELECT user_name, points FROM user_points"),
            available: try await amounts(.stock, "SELECT sku, available FROM product"),
            reserved: try await amounts(.stock, "SELECT sku, reserved FROM product").merging(
                try await amounts(.points, "SELECT user_name, reserved FROM user_points"), uniquingKeysWith: +))
    }

    private struct Unreadable: Error {}

    private static func text(_ column: String?) throws -> String {
        guard let column else { throw Unreadable() }
        return column
    }

    private static func number(_ column: String?) throws -> Int {
        guard let number = Int(try text(column)) else { throw Unreadable() }
        return number
    }
}
