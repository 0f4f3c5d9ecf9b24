import SettleCore
import SettlePostgres
import Settle
import ShopContract

/// Gives back, once, the points that a cancelled order had spent.
struct RefundPointApplier: TaskApplier {
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
        try await decideAll(tasks.map(\.body)) { try await decideInTurn($0, [together, before, strangers]) }
    }

    private func together(_ bodies: [AddPoint]) async throws -> [TaskOutcome?] {
        let given = try await database.query(Self.give, Self.parameters(bodies))
            .map { try $0.decode(String.self, at: 0) }.byteKeys
        return bodies.map { given.contains(ByteKey($0.orderId)) ? .applied : nil }
    }

    /// What was decided before; nil where nothing was.
    private func before(_ bodies: [AddPoint]) async throws -> [TaskOutcome?] {
        try await database.query(Self.known, Self.parameters(bodies)).map { row in
            try row.decode(Bool?.self, at: 0).map { isSame in
                isSame ? .duplicate(.finished) : .conflict(reason: "the order's refund was for other content")
            }
        }
    }

    /// Refuses those for users whom nobody knows, and not only for as long as a global transaction is undecided. Nobody can
    /// have spent points who never existed, so they need no memory.
    private func strangers(_ bodies: [AddPoint]) async throws -> [TaskOutcome?] {
        let names = bodies.map(\.userName).byteKeys
        let unknown = try await database.query(Self.unknown, [.texts(names.map(\.text))])
            .map { try $0.decode(String.self, at: 0) }.byteKeys
        return bodies.map { unknown.contains(ByteKey($0.userName)) ? .rejected(reason: "unknown user") : nil }
    }

    private static func parameters(_ bodies: [AddPoint]) -> [PostgresValue] {
        [.texts(bodies.map(\.orderId)), .texts(bodies.map(\.userName)), .int64s(bodies.map(\.point))]
    }
}

// The statements: `$1` orders, `$2` their users, `$3` their points.
extension RefundPointApplier {
    /// Answers with the orders whose points it has given back. As in `AddPointApplier.add`, no step joins the batch with
    /// itself.
    static let give = """
        WITH known AS (
            SELECT user_name FROM user_points WHERE user_name = ANY ($2::text[]) ORDER BY user_name FOR NO KEY UPDATE),
        given AS (
            INSERT INTO point_refund (order_id, user_name, point)
            SELECT order_id, user_name, point FROM unnest($1::text[], $2::text[], $3::bigint[]) AS i (order_id, user_name, point)
            WHERE user_name IN (SELECT user_name FROM known)
            ORDER BY order_id
            ON CONFLICT DO NOTHING RETURNING order_id, user_name, point),
        gain AS (SELECT user_name, sum(point) AS point FROM given GROUP BY user_name),
        balance AS (
            UPDATE user_points u
            SET points = u.points + ((SELECT jsonb_object_agg(user_name, point) FROM gain) -> u.user_name)::numeric
            WHERE u.user_name = ANY (ARRAY(SELECT user_name FROM gain)))
        SELECT order_id FROM given
        """

    static let known = """
        SELECT before.point = input.point AND before.user_name = input.user_name
        FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS input (order_id, user_name, point, n)
        LEFT JOIN LATERAL (
            SELECT point, user_name FROM point_refund r WHERE r.order_id = input.order_id LIMIT 1
        ) before ON true
        ORDER BY n
        """

    /// Of the names in `$1`.
    static let unknown = """
        WITH stranger AS (
            SELECT name FROM unnest($1::text[]) AS name
            WHERE (SELECT true FROM user_points u WHERE u.user_name = name) IS NULL)
        SELECT name FROM stranger, settle.at_check('user_points', ARRAY(SELECT name FROM stranger))
        """
}
