import SettleCore
import SettlePostgres
import Settle
import ShopContract

/// Adds an order's points to its user's balance, once.
///
/// One statement decides a whole batch. What it cannot decide is looked at again: an order that another process decided
/// while the statement ran, and one whose user is unknown.
struct AddPointApplier: TaskApplier {
    let database: PostgresDatabase

    func dedupKey(of body: AddPoint) -> String { body.orderId }

    func check(_ body: AddPoint) throws { try body.check() }

    func rows(of body: AddPoint) -> [String] { [body.userName] }

    func held(among rows: [String]) async throws -> Set<ByteKey> {
        try await RowProbe(database, table: "user_points", key: "user_name", enrolled: true).held(among: rows)
    }

    func decided(_ tasks: [ReceivedTask<AddPoint>]) async throws -> [TaskOutcome?] {
        try await database.query(
            """
            SELECT false, false, log.point = input.point AND owner.user_name = input.user_name,
                   refusal.point = input.point AND refusal.user_name = input.user_name, refusal.reason
            FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS input (order_id, user_name, point, n)
            LEFT JOIN point_log log ON log.order_id = input.order_id
            LEFT JOIN user_points owner ON owner.user_id = log.user_id
            LEFT JOIN point_refusal refusal ON refusal.order_id = input.order_id
            ORDER BY n
            """, Self.parameters(tasks.map(\.body))
        ).map { try verdict($0).outcome }
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
        try await decideAll(bodies) { bodies in
            var verdicts = try await addPoints(bodies)
            let unknown = bodies.indices.filter { verdicts[$0] == .unknownUser }
            for (index, refusal) in zip(unknown, try await refuse(unknown.map { bodies[$0] })) {
                verdicts[index] = refusal
            }
            return verdicts.map(\.outcome)
        }
    }

    private enum Verdict: Equatable {
        case decided(TaskOutcome)
        case unknownUser
        case undecided

        var outcome: TaskOutcome? {
            if case .decided(let outcome) = self { outcome } else { nil }
        }
    }

    private func addPoints(_ bodies: [AddPoint]) async throws -> [Verdict] {
        // Balances are locked in the order of their names, so that two batches cannot deadlock.
        let rows = try await database.query(
            """
            WITH input AS (
                SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY
                    AS i (order_id, user_name, point, n)),
            known AS (
                SELECT user_id, user_name FROM user_points WHERE user_name IN (SELECT user_name FROM input)
                ORDER BY user_name FOR NO KEY UPDATE),
            added AS (
                INSERT INTO point_log (order_id, user_id, point)
                SELECT order_id, user_id, point FROM input JOIN known USING (user_name)
                WHERE NOT EXISTS (SELECT FROM point_refusal r WHERE r.order_id = input.order_id)
                ORDER BY order_id
                ON CONFLICT (order_id) DO NOTHING RETURNING order_id, user_id, point),
            balance AS (
                UPDATE user_points u SET points = u.points + a.point
                FROM (SELECT user_id, sum(point) AS point FROM added GROUP BY user_id) a
                WHERE u.user_id = a.user_id)
            SELECT added.order_id IS NOT NULL, known.user_id IS NULL,
                   log.point = input.point AND owner.user_name = input.user_name,
                   refusal.point = input.point AND refusal.user_name = input.user_name, refusal.reason
            FROM input
            LEFT JOIN added USING (order_id)
            LEFT JOIN known USING (user_name)
            LEFT JOIN point_log log ON log.order_id = input.order_id
            LEFT JOIN user_points owner ON owner.user_id = log.user_id
            LEFT JOIN point_refusal refusal ON refusal.order_id = input.order_id
            ORDER BY n
            """, Self.parameters(bodies))
        return try rows.map(verdict)
    }

    private static func parameters(_ bodies: [AddPoint]) -> [PostgresValue] {
        [.texts(bodies.map(\.orderId)), .texts(bodies.map(\.userName)), .int64s(bodies.map(\.point))]
    }

    private func verdict(_ row: PostgresRow) throws -> Verdict {
        if try row.decode(Bool.self, at: 0) { return .decided(.applied) }
        let conflict = Verdict.decided(.conflict(reason: "the order's points were decided for other content"))
        if let isSame = try row.decode(Bool?.self, at: 2) {
            return isSame ? .decided(.duplicate(.finished)) : conflict
        }
        if let isSame = try row.decode(Bool?.self, at: 3) {
            let reason = try row.decode(String.self, at: 4)
            return isSame ? .decided(.duplicate(.rejected(reason: reason))) : conflict
        }
        return try row.decode(Bool.self, at: 1) ? .unknownUser : .undecided
    }

    /// Remembers that these orders' users do not exist, unless one has come into being meanwhile.
    ///
    /// The advisory lock is the one that creating a user takes: so a refusal is either seen by whoever finds the new
    /// user, or not made.
    private func refuse(_ bodies: [AddPoint]) async throws -> [Verdict] {
        guard !bodies.isEmpty else { return [] }
        let refused = try await database.transaction { transaction in
            transaction.add(UserName.lock, [.texts(bodies.map(\.userName))])
            let ticket = transaction.add(
                """
                INSERT INTO point_refusal (order_id, user_name, point, reason)
                SELECT order_id, user_name, point, 'unknown user'
                FROM unnest($1::text[], $2::text[], $3::bigint[]) AS i (order_id, user_name, point),
                     settle.at_check('user_points', $2::text[])  -- a user may be gone only for now
                WHERE NOT EXISTS (SELECT FROM user_points u WHERE u.user_name = i.user_name)
                  AND NOT EXISTS (SELECT FROM point_log l WHERE l.order_id = i.order_id)
                ORDER BY order_id ON CONFLICT DO NOTHING RETURNING order_id
                """, Self.parameters(bodies))
            return try transaction.rows(of: ticket).map { try $0.decode(String.self, at: 0) }.byteKeys
        }
        return bodies.map { body in
            refused.contains(ByteKey(body.orderId)) ? .decided(.rejected(reason: "unknown user")) : .undecided
        }
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
