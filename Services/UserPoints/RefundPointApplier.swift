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
        let bodies = tasks.map(\.body)
        return try await database.query(
            """
            SELECT false, false, before.point = input.point AND before.user_name = input.user_name
            FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS input (order_id, user_name, point, n)
            LEFT JOIN point_refund before ON before.order_id = input.order_id
            ORDER BY n
            """, [.texts(bodies.map(\.orderId)), .texts(bodies.map(\.userName)), .int64s(bodies.map(\.point))]
        ).map(outcome)
    }

    func apply(_ tasks: [ReceivedTask<AddPoint>]) async throws -> [TaskOutcome] {
        try await decideAll(tasks.map(\.body)) { bodies in
            let rows = try await database.query(
                """
                WITH input AS (
                    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY
                        AS i (order_id, user_name, point, n)),
                known AS (
                    SELECT user_name FROM user_points WHERE user_name IN (SELECT user_name FROM input)
                    ORDER BY user_name FOR NO KEY UPDATE),
                given AS (
                    INSERT INTO point_refund (order_id, user_name, point)
                    SELECT order_id, user_name, point FROM input JOIN known USING (user_name) ORDER BY order_id
                    ON CONFLICT DO NOTHING RETURNING order_id, user_name, point),
                balance AS (
                    UPDATE user_points u SET points = u.points + g.point
                    FROM (SELECT user_name, sum(point) AS point FROM given GROUP BY user_name) g
                    WHERE u.user_name = g.user_name)
                SELECT given.order_id IS NOT NULL, known.user_name IS NULL,
                       before.point = input.point AND before.user_name = input.user_name
                FROM input
                LEFT JOIN given USING (order_id)
                LEFT JOIN known ON known.user_name = input.user_name
                LEFT JOIN point_refund before ON before.order_id = input.order_id
                ORDER BY n
                """,
                [.texts(bodies.map(\.orderId)), .texts(bodies.map(\.userName)), .int64s(bodies.map(\.point))])
            var isUnknown: [Bool] = []
            var outcomes = try rows.map { row in
                isUnknown.append(try row.decode(Bool.self, at: 1))
                return try outcome(row)
            }
            let open = bodies.indices.filter { outcomes[$0] == nil && isUnknown[$0] }
            let strangers = try await strangers(among: open.map { bodies[$0].userName }.byteKeys)
            for index in open where strangers.contains(ByteKey(bodies[index].userName)) {
                outcomes[index] = .rejected(reason: "unknown user")
            }
            return outcomes
        }
    }

    /// Nil: the user is unknown, or another process decided it meanwhile.
    private func outcome(_ row: PostgresRow) throws -> TaskOutcome? {
        if try row.decode(Bool.self, at: 0) { return .applied }
        return try row.decode(Bool?.self, at: 2).map { isSame in
            isSame ? .duplicate(.finished) : .conflict(reason: "the order's refund was for other content")
        }
    }

    /// Those of `names` whom nobody knows, and not only for as long as a global transaction is undecided. Nobody can have
    /// spent points who never existed, so they need no memory.
    private func strangers(among names: Set<ByteKey>) async throws -> Set<ByteKey> {
        guard !names.isEmpty else { return [] }
        let rows = try await database.query(
            """
            SELECT name FROM unnest($1::text[]) AS name, settle.at_check('user_points', $1::text[])
            WHERE NOT EXISTS (SELECT FROM user_points WHERE user_name = name)
            """, [.texts(names.map(\.text))])
        return try rows.map { try $0.decode(String.self, at: 0) }.byteKeys
    }
}
