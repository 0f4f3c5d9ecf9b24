import SettleCore
import SettlePostgres
import Settle
import ShopContract

/// Adds an order's points to its user's balance, once.
///
/// One statement adds the points of a whole batch. What it leaves out is looked at again: an order that was decided before,
/// or by another process while the statement ran, and one whose user is unknown.
struct AddPointApplier: TaskApplier {
    let database: PostgresDatabase

    func dedupKey(of body: AddPoint) -> String { body.orderId }

    func check(_ body: AddPoint) throws { try body.check() }

    func rows(of body: AddPoint) -> [String] { [body.userName] }

    func held(among rows: [String]) async throws -> Set<ByteKey> {
        try await RowProbe(database, table: "user_points", key: "user_name", enrolled: true).held(among: rows)
    }

    func decided(_ tasks: [ReceivedTask<AddPoint>]) async throws -> [TaskOutcome?] {
        try await before(tasks.map(\.body))
    }

    func apply(_ tasks: [ReceivedTask<AddPoint>]) async throws -> [TaskOutcome] {
        do {
            return try await decide(tasks.map(\.body))
        } catch let error as PostgresError where error.isOutOfRange && tasks.count == 1 {
            // In a batch nobody knows whose; then its tasks come one by one.
            return [try await refuseOverflow(tasks[0].body)]
        }
    }

    private func decide(_ bodies: [AddPoint]) async throws -> [TaskOutcome] {
        try await decideAll(bodies) { try await decideInTurn($0, [together, before, refuse]) }
    }

    private func together(_ bodies: [AddPoint]) async throws -> [TaskOutcome?] {
        let added = try await database.query(Self.add, Self.parameters(bodies))
            .map { try $0.decode(String.self, at: 0) }.byteKeys
        return bodies.map { added.contains(ByteKey($0.orderId)) ? .applied : nil }
    }

    /// What was decided before; nil where nothing was.
    private func before(_ bodies: [AddPoint]) async throws -> [TaskOutcome?] {
        let conflict = TaskOutcome.conflict(reason: "the order's points were decided for other content")
        return try await database.query(Self.known, Self.parameters(bodies)).map { row in
            if let isSame = try row.decode(Bool?.self, at: 0) { return isSame ? .duplicate(.finished) : conflict }
            guard let isSame = try row.decode(Bool?.self, at: 1) else { return nil }
            return isSame ? .duplicate(.rejected(reason: try row.decode(String.self, at: 2))) : conflict
        }
    }

    private static func parameters(_ bodies: [AddPoint]) -> [PostgresValue] {
        [.texts(bodies.map(\.orderId)), .texts(bodies.map(\.userName)), .int64s(bodies.map(\.point))]
    }

    /// Remembers that these orders' users do not exist, unless one has come into being meanwhile.
    ///
    /// The advisory lock is the one that creating a user takes: so a refusal is either seen by whoever finds the new
    /// user, or not made.
    private func refuse(_ bodies: [AddPoint]) async throws -> [TaskOutcome?] {
        let refused = try await database.transaction { transaction in
            transaction.add(UserName.lock, [.texts(bodies.map(\.userName))])
            let ticket = transaction.add(Self.refuse, Self.parameters(bodies))
            return try transaction.rows(of: ticket).map { try $0.decode(String.self, at: 0) }.byteKeys
        }
        return bodies.map { refused.contains(ByteKey($0.orderId)) ? .rejected(reason: "unknown user") : nil }
    }

    /// Remembers that an order's points do not fit into its user's balance; the balance is locked and looked at again.
    private func refuseOverflow(_ body: AddPoint) async throws -> TaskOutcome {
        let reason = "the balance would be more than can be counted"
        let rows = try await database.transaction { transaction in
            transaction.add(
                "SELECT FROM user_points WHERE user_name = $1 FOR NO KEY UPDATE", [.text(body.userName)])
            return try transaction.query(
                """
                INSERT INTO point_refusal (order_id, user_name, point, reason)
                SELECT $1::text, user_name, $3::bigint, $4::text FROM user_points
                WHERE user_name = $2 AND points::numeric + $3::bigint > 9223372036854775807
                  AND NOT EXISTS (SELECT FROM point_log WHERE order_id = $1)
                ON CONFLICT DO NOTHING RETURNING order_id
                """, [.text(body.orderId), .text(body.userName), .int64(body.point), .text(reason)])
        }
        // Somebody else decided it, or made room, just now: the same question again, and this time it has an answer.
        return rows.isEmpty ? try await decide([body])[0] : .rejected(reason: reason)
    }
}

extension PostgresError {
    /// A number beyond its type (`numeric_value_out_of_range`).
    var isOutOfRange: Bool { sqlState == "22003" }
}
