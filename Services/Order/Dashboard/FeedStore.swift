import Foundation
import SettleCore
import SettlePostgres

/// What the feed asks of order's database: one round trip, whatever the tables hold.
struct FeedStore: Sendable {
    let database: PostgresDatabase

    func look(now: Date) async throws -> FeedState {
        try await database.transaction { transaction in
            let since = UUID.leastV7(at: now.addingTimeInterval(-10))
            let recent = transaction.add(Self.recent, [.uuid(since)])
            let waiting = transaction.add(Self.waiting)
            let latency = transaction.add(Self.latency)
            let orders = try transaction.query(Self.orders)
            var state = FeedState(at: now)
            if let row = try transaction.rows(of: recent).first {
                state.recent.placed = try row.decode(Int.self, at: 0)
                state.recent.settled = try row.decode(Int.self, at: 1)
                state.recent.cancelled = try row.decode(Int.self, at: 2)
            }
            if let row = try transaction.rows(of: waiting).first {
                state.waiting.pending = try row.decode(Int.self, at: 0)
                state.waiting.parked = try row.decode(Int.self, at: 1)
                state.waiting.unconfirmed = try row.decode(Int.self, at: 2)
            }
            if let row = try transaction.rows(of: latency).first,
                let p50 = try row.decode(Double?.self, at: 0), let p99 = try row.decode(Double?.self, at: 1)
            {
                state.latency = FeedState.Latency(p50: p50, p99: p99)
            }
            state.orders = try orders.map(Order.init(row:))
            return state
        }
    }

    private static let recent = """
        SELECT count(*), count(*) FILTER (WHERE status = 'settled'), count(*) FILTER (WHERE status = 'cancelled')
        FROM orders WHERE id >= $1
        """

    private static let waiting = """
        SELECT (SELECT count(*) FROM (SELECT FROM task WHERE status = 'pending' LIMIT 1000) t),
               (SELECT count(*) FROM (SELECT FROM task WHERE status = 'parked' LIMIT 1000) t),
               (SELECT count(*) FROM (SELECT FROM settle.global_transaction
                                      WHERE decision = 'commit' AND acknowledged_at IS NULL LIMIT 1000) t)
        """

    private static let latency = """
        SELECT 1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
               1000 * percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds)
        FROM (SELECT extract(epoch FROM delete_time - create_time)::float8 AS seconds
              FROM task_his ORDER BY id DESC LIMIT 100) t
        """

    private static let orders = "SELECT \(Order.columns) FROM orders ORDER BY id DESC LIMIT 20"
}
