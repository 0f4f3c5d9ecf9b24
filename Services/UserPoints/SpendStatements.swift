// The statements of `Spend`: `$1` the user, or users, `$2` how many points of each; those that are booked: `$3` the order, or
// `$3` orders, `$4` the user of each, `$5` the points of each.
extension Spend {
    /// Of one order.
    static let takePlain = take("points = points - $2", booking: "point_spent")
    /// Where a rollback of mode `at` finds it.
    static let takeAT = take("points = points - $2", booking: "point_spent_at")
    static let takeReserved = take("points = points - $2, reserved = reserved + $2")

    /// Of several requests at once: first what is there, then what was taken of each user.
    static let purses =
        "SELECT user_name, points FROM user_points WHERE user_name = ANY ($1::text[]) ORDER BY user_name FOR NO KEY UPDATE"
    static let takeTogether = changeLocked("points = u.points - \(point)", booking: "point")
    static let reserveTogether = changeLocked("points = u.points - \(point), reserved = u.reserved + \(point)")

    /// Of any number of requests.
    static let confirmReserved = change("reserved = u.reserved - \(point)", booking: "point")
    static let cancelReserved = change("points = u.points + \(point), reserved = u.reserved - \(point)")
    static let giveBack = change("points = u.points + \(point)", booking: "-point")

    private static let point = "((SELECT map FROM line) -> u.user_name)::bigint"

    /// - Parameter table: where the ledger is written, by the same statement: it costs no round trip.
    private static func take(_ assignments: String, booking table: String? = nil) -> String {
        let booked = table.map {
            ", booked AS (INSERT INTO \($0) (order_id, user_name, point) SELECT $3::text, $1, $2 FROM taken)"
        }
        return """
            WITH taken AS (
                UPDATE user_points SET \(assignments) WHERE user_name = $1 AND points >= $2::bigint
                RETURNING points)\(booked ?? "")
            SELECT points FROM taken
            """
    }

    /// - Parameter amount: what is written into the ledger of each `point`.
    private static func changeLocked(_ assignments: String, booking amount: String? = nil) -> String {
        """
        WITH line AS (
            SELECT jsonb_object_agg(user_name, point) AS map
            FROM unnest($1::text[], $2::bigint[]) AS l (user_name, point))\(book(amount))
        UPDATE user_points u SET \(assignments) WHERE u.user_name = ANY ($1::text[])
        """
    }

    /// What belongs to a user gets to the row by a map: a join would compare each spending with each.
    private static func change(_ assignments: String, booking amount: String? = nil) -> String {
        """
        WITH line AS (
            SELECT jsonb_object_agg(user_name, point) AS map
            FROM (SELECT user_name, sum(point)::bigint AS point
                  FROM unnest($1::text[], $2::bigint[]) AS l (user_name, point) GROUP BY user_name) l),
        held AS (
            SELECT user_name FROM user_points WHERE user_name = ANY ($1::text[])
            ORDER BY user_name FOR NO KEY UPDATE)\(book(amount))
        UPDATE user_points u SET \(assignments) WHERE u.user_name = ANY (ARRAY(SELECT user_name FROM held))
        """
    }

    private static func book(_ amount: String?) -> String {
        guard let amount else { return "" }
        return """
            ,
            booked AS (
                INSERT INTO point_spent (order_id, user_name, point) SELECT order_id, user_name, \(amount)
                FROM unnest($3::text[], $4::text[], $5::bigint[]) AS booked (order_id, user_name, point))
            """
    }
}
