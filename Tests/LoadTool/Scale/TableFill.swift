import Foundation
import SettlePostgres

/// Rows as so many orders of the last hours would have left them: settled, archived, forgotten by nobody yet.
///
/// `INSERT … SELECT FROM generate_series`, whose rows never leave the server: COPY takes as long, and somebody has to make
/// what it reads.
struct TableFill {
    private let databases: BenchDatabases

    init(_ databases: BenchDatabases) { self.databases = databases }

    private static let perStatement = 100_000
    /// Nothing that the services purge by default is as old.
    private static let span = (from: 20 * 3_600_000, to: 2 * 3_600_000)

    /// Empties what grows with orders, and only that. Nothing may be under way.
    func empty() async throws {
        try await databases.order.script("TRUNCATE orders, order_item, task, task_his, settle.global_transaction")
        try await databases.stock.script("TRUNCATE stock_log, settle.branch")
        try await databases.points.script("TRUNCATE point_log, settle.branch")
    }

    /// Adds `count` rows to each table, and has PostgreSQL see to them as autovacuum would in time.
    func fill(_ count: Int) async throws {
        let now = Int(Date().timeIntervalSince1970 * 1000)
        let first = try await reserveTasks(count)
        for start in stride(from: 0, to: count, by: Self.perStatement) {
            let numbers = start...(min(start + Self.perStatement, count) - 1)
            let orders = Self.orders(numbers, of: count, now: now)
            for (database, statements) in [
                (databases.order, Self.orderTables(orders, firstTask: first)),
                (databases.stock, Self.stockTables(orders)),
                (databases.points, Self.pointsTables(orders)),
            ] {
                try await database.transaction { transaction in
                    // What is lost in a crash is made again.
                    transaction.add("SET LOCAL synchronous_commit = off")
                    for statement in statements { transaction.add(statement) }
                }
            }
        }
        try await databases.vacuum()
        try await databases.checkpoint()
    }

    /// So that no later task has the id of an archived one.
    private func reserveTasks(_ count: Int) async throws -> Int {
        let sequence = "pg_get_serial_sequence('task', 'id')"
        let first = try await databases.order.query("SELECT nextval(\(sequence))")[0].decode(Int.self, at: 0)
        _ = try await databases.order.query("SELECT setval(\(sequence), $1::bigint)", [.int(first + count)])
        return first
    }

    /// Rows (n, id, at): the ids are UUIDs of version 7, in the order of time, long before any that is made from now on.
    static func orders(_ numbers: ClosedRange<Int>, of count: Int, now: Int) -> String {
        let step = "(\(span.from - span.to)::float8 * n / \(count))::bigint"
        return """
            (SELECT n, substr(ms, 1, 8) || '-' || substr(ms, 9) || '-7000-8000-' || lpad(to_hex(n), 12, '0') AS id, at
             FROM (SELECT n, lpad(to_hex(\(now - span.from) + \(step)), 12, '0') AS ms,
                          to_timestamp((\(now - span.from) + \(step)) / 1000.0) AS at
                   FROM generate_series(\(numbers.lowerBound)::bigint, \(numbers.upperBound)) AS n) AS times) AS made
            """
    }

    private static func orderTables(_ orders: String, firstTask: Int) -> [String] {
        [
            """
            INSERT INTO orders (id, user_name, total, spend_points, pay_money, point, status, mode, created_at)
            SELECT id::uuid, 'u' || 1 + n % 1000, 10, 0, 10, 10, 'settled', 'message', at FROM \(orders)
            """,
            """
            INSERT INTO order_item (order_id, sku, quantity, unit_price)
            SELECT id::uuid, 'p' || 1 + n % 1000, 1, 10 FROM \(orders)
            """,
            """
            INSERT INTO task_his (id, create_time, update_time, delete_time, task_type, business_key, mq_exchange,
                                  mq_routingkey, request_body, status, attempts, due_time)
            SELECT \(firstTask) + n, at, at, at, 'addpoint', id, 'ex_buying_addpointurse', 'addpoint',
                   '{"orderId":"' || id || '","userName":"u' || 1 + n % 1000 || '","point":10}', 'finished', 1,
                   at + interval '5 s' FROM \(orders)
            """,
            """
            INSERT INTO settle.global_transaction (xid, decision, participants, created_at, due_time, acknowledged_at)
            SELECT id, 'commit', '{stock}', at, at + interval '5 s', at FROM \(orders)
            """,
        ]
    }

    private static func stockTables(_ orders: String) -> [String] {
        [
            """
            INSERT INTO stock_log (order_id, action, items, created_at)
            SELECT id, 'deduct', jsonb_build_array(jsonb_build_object('sku', 'p' || 1 + n % 1000, 'quantity', 1)), at
            FROM \(orders)
            """,
            """
            INSERT INTO settle.branch (xid, state, mode, action, initiator, request, answer, created_at, ended_at,
                                       check_time, deadline)
            SELECT id, 'committed', 'tcc', 'deduct', 'order',
                   '{"orderId":"' || id || '","items":[{"sku":"p' || 1 + n % 1000 || '","quantity":1}]}',
                   '{"items":[{"sku":"p' || 1 + n % 1000 || '","unitPrice":10}]}', at, at, at + interval '3 s',
                   at + interval '10 s' FROM \(orders)
            """,
        ]
    }

    private static func pointsTables(_ orders: String) -> [String] {
        [
            """
            INSERT INTO point_log (order_id, user_id, point, created_at)
            SELECT made.id, user_id, 10, at FROM \(orders) JOIN user_points ON user_name = 'u' || 1 + n % 1000
            """
        ]
    }
}
