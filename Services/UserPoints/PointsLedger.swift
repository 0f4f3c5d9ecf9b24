import Logging
import Settle
import SettlePostgres
import ShopContract

/// What each order earned and spent, and what the balances of users must be for it.
enum PointsLedger {
    static let source = LedgerSource { parts($0).joined(separator: " UNION ALL ") }

    /// By account `userName` and the kinds `earned` and `spent`, the latter net of what was given back; a statement for each
    /// table.
    static func parts(_ scope: (String) -> String) -> [String] {
        [
            """
            SELECT l.order_id, u.user_name, 'earned', l.point
            FROM point_log l
            CROSS JOIN LATERAL (SELECT user_name FROM user_points WHERE user_points.user_id = l.user_id LIMIT 1) u
            WHERE \(scope("l.order_id"))
            """,
            "SELECT s.order_id, s.user_name, 'spent', s.point FROM point_spent s WHERE \(scope("s.order_id"))",
            "SELECT s.order_id, s.user_name, 'spent', s.point FROM point_spent_at s WHERE \(scope("s.order_id"))",
            "SELECT r.order_id, r.user_name, 'spent', -r.point FROM point_refund r WHERE \(scope("r.order_id"))",
        ]
    }

    /// Each table is added up by itself, which the server can do in parallel. What is tried in mode `tcc` and not decided is in
    /// none of them yet: it is what `reserved` consists of.
    ///
    /// `point_log` is read as a whole here, so its users are not looked up one by one.
    private static let balances =
        parts { _ in "true" }.dropFirst().map {
            "SELECT account, -sum(amount), 0 FROM (\($0)) AS l (key, account, kind, amount) GROUP BY account UNION ALL "
        }.joined() + """
            SELECT u.user_name, sum(l.point), 0
            FROM point_log l JOIN user_points u ON u.user_id = l.user_id GROUP BY u.user_name
            UNION ALL
            SELECT account, CASE kind WHEN 'earned' THEN amount ELSE -amount END, 0
            FROM settle.ledger_adjustment WHERE kind IN ('earned', 'spent')
            UNION ALL
            SELECT user_name, points, 0 FROM points_change
            UNION ALL
            SELECT b.request::jsonb ->> 'userName', -point, point
            FROM settle.branch b CROSS JOIN LATERAL (SELECT (b.request::jsonb ->> 'point')::numeric AS point) asked
            WHERE b.state = 'undecided' AND b.mode = 'tcc' AND b.action = '\(ShopActions.spend)'
            """

    static func table(in database: PostgresDatabase, logger: Logger) -> BalanceTable {
        BalanceTable(
            "user_points", key: "user_name", columns: ["points", "reserved"], ledger: balances, in: database,
            logger: logger)
    }
}
