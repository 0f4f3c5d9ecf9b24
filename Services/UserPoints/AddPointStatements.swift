// The statements of `AddPointApplier`: `$1` orders, `$2` their users, `$3` their points.
extension AddPointApplier {
    /// Answers with the orders that it has added.
    ///
    /// Balances are locked in the order of their names, so that two batches cannot deadlock. No step joins the batch with
    /// itself: the planner takes it for a handful, and would compare each order with each. The first order of each user
    /// looks the user up, a window tells the others, and a map takes the sums to the balances.
    static let add = """
        WITH input AS (
            SELECT order_id, user_name, point, row_number() OVER (PARTITION BY user_name) = 1 AS is_first
            FROM unnest($1::text[], $2::text[], $3::bigint[]) AS i (order_id, user_name, point)
            ORDER BY user_name),
        known AS (
            SELECT order_id, point, max(u.user_id) OVER (PARTITION BY input.user_name) AS user_id
            FROM input LEFT JOIN LATERAL (
                SELECT user_id FROM user_points WHERE user_points.user_name = input.user_name AND input.is_first
                FOR NO KEY UPDATE
            ) u ON true),
        added AS (
            INSERT INTO point_log (order_id, user_id, point)
            SELECT order_id, user_id, point FROM known
            WHERE user_id IS NOT NULL
              AND (SELECT true FROM point_refusal r WHERE r.order_id = known.order_id) IS NULL
            ORDER BY order_id
            ON CONFLICT (order_id) DO NOTHING RETURNING order_id, user_id, point),
        gain AS (SELECT user_id, sum(point) AS point FROM added GROUP BY user_id),
        balance AS (
            UPDATE user_points u
            SET points = u.points + ((SELECT jsonb_object_agg(user_id, point) FROM gain) -> u.user_id::text)::numeric
            WHERE u.user_id = ANY (ARRAY(SELECT user_id FROM gain)))
        SELECT order_id FROM added
        """

    /// LIMIT keeps it a look for each order, by the key, whatever the planner thinks of the tables.
    static let known = """
        SELECT log.point = input.point AND log.user_name = input.user_name,
               refusal.point = input.point AND refusal.user_name = input.user_name, refusal.reason
        FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS input (order_id, user_name, point, n)
        LEFT JOIN LATERAL (
            SELECT point, (SELECT user_name FROM user_points u WHERE u.user_id = l.user_id) AS user_name
            FROM point_log l WHERE l.order_id = input.order_id LIMIT 1
        ) log ON true
        LEFT JOIN LATERAL (
            SELECT point, user_name, reason FROM point_refusal r WHERE r.order_id = input.order_id LIMIT 1
        ) refusal ON true
        ORDER BY n
        """

    /// Answers with the orders that it has refused.
    static let refuse = """
        WITH stranger AS (
            SELECT order_id, user_name, point FROM unnest($1::text[], $2::text[], $3::bigint[]) AS i (order_id, user_name, point)
            WHERE (SELECT true FROM user_points u WHERE u.user_name = i.user_name) IS NULL
              AND (SELECT true FROM point_log l WHERE l.order_id = i.order_id) IS NULL)
        INSERT INTO point_refusal (order_id, user_name, point, reason)
        SELECT order_id, user_name, point, 'unknown user'
        FROM stranger,
             settle.at_check('user_points', ARRAY(SELECT user_name FROM stranger))  -- a user may be gone only for now
        ORDER BY order_id ON CONFLICT DO NOTHING RETURNING order_id
        """
}
