import Foundation
import Settle
import SettleCore
import SettlePostgres
import ShopContract

/// What order knows that compares its orders with the books of stock and user-points.
struct OrderReconciliation: ReconciledBusiness {
    let database: PostgresDatabase
    let outbox: Outbox

    private static let discard = "discardTask"
    /// How many orders a look for those that are stuck walks past at once.
    private static let stretch = 100_000
    /// How many orders make a range.
    private static let rangeSize = 256

    func bounds(after: String, before: String) async throws -> (bounds: [String], keys: Int) {
        let most = ReconciliationSettings.maxRanges * Self.rangeSize
        let row = try await database.query(
            Self.bounds,
            [.uuid(Self.id(after)), .uuid(Self.id(before)), .int(Self.rangeSize), .int(most)])[0]
        let bounds = try row.decode(String?.self, at: 0)?.split(separator: " ").map(String.init) ?? []
        let keys = try row.decode(Int.self, at: 1)
        // The last one of a full page is the first of the next.
        return (bounds, bounds.count == ReconciliationSettings.maxRanges ? keys - 1 : keys)
    }

    func states(of keys: [String]) async throws -> [ByteKey: BusinessState] {
        try await database.query(Self.states, [.uuids(keys.compactMap(UUID.init(canonical:)))]).reduce(into: [:]) {
            states, row in
            states[ByteKey(try row.decode(String.self, at: 0))] = BusinessState(
                name: try row.decode(String.self, at: 1), isFinal: try row.decode(Bool.self, at: 2))
        }
    }

    func describe(_ difference: BookDifference) -> (kind: String, detail: String, isMendable: Bool)? {
        OrderDifferences.kind(of: difference).map {
            ($0.rawValue, OrderDifferences.detail(difference), $0.task != nil)
        }
    }

    /// What differs is sent again. Whoever has done it before answers so and does nothing; the answer of a task that is sent
    /// for an order that is over changes nothing of the order: see `Settlement`.
    func mend(_ differences: [BookDifference], in transaction: borrowing PostgresTransaction) throws -> [Int: String] {
        let orders = try lock(differences.map(\.difference.key), in: transaction)
        var done: [Int: String] = [:]
        for (index, difference) in differences.enumerated() {
            guard let order = orders[ByteKey(difference.difference.key)], order.status == difference.state?.name,
                let task = OrderDifferences.kind(of: difference)?.task
            else { continue }
            try send(task, order, in: transaction)
            done[index] = "\(task.route.taskType) sent again"
        }
        return done
    }

    func strays(before: String) async throws -> [BusinessStray] {
        var strays: [BusinessStray] = []
        var after = Self.id("")
        while strays.count < Self.most {
            let next = try await database.query(
                Self.milestone, [.uuid(after), .uuid(Self.id(before)), .int(Self.stretch)]
            ).first?.decode(UUID.self, at: 0)
            strays += try await database.query(
                Self.stuck, [.uuid(after), .uuid(next ?? Self.id(before)), .int(Self.most)]
            ).map { row in
                let status = try row.decode(String.self, at: 1)
                return BusinessStray(
                    kind: OrderDifferences.Kind.orderStuck.rawValue, key: try row.decode(String.self, at: 0),
                    detail: "\(status), and no task or message is under way")
            }
            guard let next else { break }
            after = next
        }
        strays += try await database.query(
            Self.foreign, [.uuid(Self.id(before)), .texts(ShopRoutes.all.map(\.taskType)), .int(Self.most)]
        ).map { row in
            let (id, type) = (try row.decode(Int64.self, at: 0), try row.decode(String.self, at: 1))
            return BusinessStray(
                kind: OrderDifferences.Kind.taskWithoutOrder.rawValue, key: String(id), isBusinessKey: false,
                detail: "\(type) for \(try row.decode(String.self, at: 2)), and there is no such order",
                action: Self.discard)
        }
        return strays
    }

    /// An order goes on where it stopped: what was done before is answered as done.
    func mend(_ strays: [BusinessStray], in transaction: borrowing PostgresTransaction) throws -> [Int: String] {
        let orders = try lock(strays.map(\.key), in: transaction)
        var done: [Int: String] = [:]
        for (index, stray) in strays.enumerated() {
            guard let order = orders[ByteKey(stray.key)], let task = order.next else { continue }
            try send(task, order, in: transaction)
            done[index] = "\(task.route.taskType) sent again"
        }
        return done
    }

    func apply(_ action: String, key: String, reason: String) async throws -> Bool {
        guard action == Self.discard, let id = Int64(key) else { return false }
        return try await !database.query(Self.discarding, [.int64(id), .text("discarded: \(reason)")]).isEmpty
    }

    // MARK: Orders

    private struct Held {
        let key: String
        let userName: String
        let point: Int64
        let spendPoints: Int64
        let xid: String?
        let status: String
        let mode: String
        let items: [StockItem]

        /// What an order that does not go on is sent next. All that it went through before is done once, and answered again.
        var next: OrderFlow.Task? {
            switch status {
            case "placed": OrderFlow.first(isTaken: xid != nil)
            case "cancelling": .restock
            default: nil
            }
        }
    }

    /// The orders with no task under way, which stay as they are until the transaction ends.
    private func lock(
        _ keys: [String], in transaction: borrowing PostgresTransaction
    ) throws -> [ByteKey: Held] {
        try transaction.query(Self.held, [.uuids(keys.compactMap(UUID.init(canonical:)))]).reduce(into: [:]) {
            orders, row in
            let key = try row.decode(String.self, at: 0)
            orders[ByteKey(key)] = Held(
                key: key, userName: try row.decode(String.self, at: 1), point: try row.decode(Int64.self, at: 2),
                spendPoints: try row.decode(Int64.self, at: 3), xid: try row.decode(String?.self, at: 4),
                status: try row.decode(String.self, at: 5), mode: try row.decode(String.self, at: 6),
                items: try JSONDecoder().decode(
                    [StockItem].self, from: Data(try row.decode(String.self, at: 7).utf8)))
        }
    }

    private func send(
        _ task: OrderFlow.Task, _ order: Held, in transaction: borrowing PostgresTransaction
    ) throws {
        let message =
            switch task {
            case .deductStock: try draft(task, order, StockChange(orderId: order.key, items: order.items))
            case .restock:
                try draft(task, order, StockChange(orderId: order.key, items: order.items, xid: order.xid))
            case .addPoint:
                try draft(task, order, AddPoint(userName: order.userName, orderId: order.key, point: order.point))
            case .refundPoint:
                try draft(
                    task, order, AddPoint(userName: order.userName, orderId: order.key, point: order.spendPoints))
            }
        outbox.add(message, in: transaction)
    }

    private func draft(_ task: OrderFlow.Task, _ order: Held, _ body: some Encodable) throws -> TaskDraft {
        try TaskDraft(task.route, businessKey: order.key, body: body)
    }

    /// The first one that could be, for the range that is open below.
    private static func id(_ bound: String) -> UUID {
        UUID(uuidString: bound) ?? UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    }
}

// The statements.
extension OrderReconciliation {
    /// How many findings of one sort a look tells.
    static let most = 1000

    /// `$1` from, `$2` to, `$3` so many make a range, `$4` at most so many.
    static let bounds = """
        SELECT string_agg(id::text, ' ' ORDER BY id) FILTER (WHERE n % $3 = 0), count(*)
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS n
              FROM (SELECT id FROM orders WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $4) page) numbered
        """

    /// Whether nothing is under way for an order: a task, a message, or the word of its commit to a participant.
    private static let isIdle = """
        (SELECT true FROM task t WHERE t.business_key = o.id::text LIMIT 1) IS NULL
        AND (SELECT true FROM settle.pre_message m WHERE m.business_key = o.id::text LIMIT 1) IS NULL
        AND (SELECT g.acknowledged_at IS NULL FROM settle.global_transaction g WHERE g.xid = o.xid) IS NOT TRUE
        """

    static let states = """
        SELECT o.id::text, o.status, o.status IN ('settled', 'cancelled') AND \(isIdle)
        FROM orders o WHERE o.id = ANY ($1::uuid[])
        """

    static let held = """
        SELECT o.id::text, o.user_name, o.point, o.spend_points, o.xid, o.status, o.mode,
               coalesce((SELECT json_agg(json_build_object('sku', sku, 'quantity', quantity))
                         FROM order_item WHERE order_id = o.id)::text, '[]')
        FROM orders o WHERE o.id = ANY ($1::uuid[]) AND \(isIdle) ORDER BY o.id FOR NO KEY UPDATE
        """

    /// How far a look goes at once: `$3` orders further on.
    static let milestone = "SELECT id FROM orders WHERE id >= $1 AND id < $2 ORDER BY id OFFSET $3 LIMIT 1"

    /// No index holds the status: the orders from `$1` to `$2` are read.
    static let stuck = """
        SELECT o.id::text, o.status FROM orders o
        WHERE o.id >= $1 AND o.id < $2 AND o.status IN ('placed', 'cancelling') AND \(isIdle) LIMIT $3
        """

    /// Tasks that are as old as `$1` is; what they are about is a text.
    static let foreign = """
        SELECT t.id, t.task_type, t.business_key FROM task t
        WHERE t.task_type = ANY ($2::text[])
          AND t.create_time < to_timestamp(('x0000' || left(replace($1::uuid::text, '-', ''), 12))::bit(64)::bigint / 1000.0)
          AND CASE WHEN t.business_key ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                   THEN (SELECT true FROM orders o WHERE o.id = t.business_key::uuid) END IS NOT TRUE
        ORDER BY t.id LIMIT $3
        """

    static let discarding = """
        WITH gone AS (
            DELETE FROM task t WHERE t.id = $1
              AND CASE WHEN t.business_key ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                       THEN (SELECT true FROM orders o WHERE o.id = t.business_key::uuid) END IS NOT TRUE
            RETURNING *)
        INSERT INTO task_his (id, create_time, update_time, delete_time, task_type, business_key, mq_exchange,
                              mq_routingkey, request_body, status, attempts, due_time, errormsg, traceparent)
        SELECT id, create_time, now(), now(), task_type, business_key, mq_exchange, mq_routingkey, request_body,
               'rejected', attempts, due_time, $2, traceparent FROM gone
        RETURNING id
        """
}
