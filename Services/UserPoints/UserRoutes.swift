import Foundation
import Hummingbird
import ShopContract
import SettlePostgres
import SettleServiceKit

/// `/users`: balances, and where they come from.
struct UserRoutes {
    struct User: Codable {
        let userName: String
        let points: Int64
        /// Only in the answer to the request that made it: it is kept nowhere.
        var token: String?
    }

    struct NewUser: Decodable {
        let points: Int64
        /// Whether a token that the user has is replaced.
        let newToken: Bool?
    }

    struct Entry: Encodable {
        let orderId: String
        let userName: String
        let point: Int64
        let createdAt: Date
    }

    struct PointLog: Encodable {
        let entries: [Entry]
    }

    let database: PostgresDatabase
    /// Whether users get tokens of their own.
    let makesTokens: Bool
    let customers: Customers

    func add(to open: ServiceRoutes, guarded: ServiceRoutes) {
        open.get("users/:userName") { request, context in
            let name = try context.pathParameter("userName")
            try await customers.caller(of: request).require(name)
            return try Response.json(try await find(name))
        }
        open.get("users/:userName/point-log") { request, context in
            let limit = try request.queryInteger("limit", in: 1...200, default: 50)
            let name = try context.pathParameter("userName")
            try await customers.caller(of: request).require(name)
            return try Response.json(try await pointLog(name, limit: limit))
        }
        guarded.put("users/:userName") { request, context in
            let name = try context.pathParameter("userName")
            try UserName.check(name)
            let body = try await requireJSON(NewUser.self, from: request, context: context)
            try Check.range("points", body.points, in: 0...1_000_000_000_000)
            let (isNew, token) = try await put(name, body)
            var user = try await find(name)
            user.token = token
            return try Response.json(
                user, status: isNew ? .created : .ok, headers: token == nil ? [:] : [.cacheControl: "no-store"])
        }
    }

    private func find(_ name: String) async throws -> User {
        let rows = try await database.query("SELECT points FROM user_points WHERE user_name = $1", [.text(name)])
        guard let row = rows.first else { throw Problem.notFound("there is no such user") }
        return User(userName: name, points: try row.decode(Int64.self, at: 0))
    }

    /// Creates the user; the balance of one that existed is not touched. Answers whether it is new, and the token if one
    /// was made: for who has none yet, and for who is to have a new one.
    private func put(_ name: String, _ user: NewUser) async throws -> (isNew: Bool, token: String?) {
        let token = makesTokens ? CustomerTokens.random() : nil
        return try await database.transaction { transaction in
            transaction.add(UserName.lock, [.texts([name])])
            let created = transaction.add(Self.create, [.text(name), .int64(user.points)])
            guard let token else { return (!(try transaction.rows(of: created)).isEmpty, nil) }
            let kept = try transaction.query(
                """
                INSERT INTO customer (user_name, token_hash) VALUES ($1, $2)
                ON CONFLICT (user_name) DO UPDATE SET token_hash = excluded.token_hash, made_at = excluded.made_at
                WHERE $3 RETURNING user_name
                """, [.text(name), .bytes(CustomerTokens.hash(token)), .bool(user.newToken ?? false)])
            return (!(try transaction.rows(of: created)).isEmpty, kept.isEmpty ? nil : token)
        }
    }

    /// The points that somebody begins with stand in the ledger.
    static let create = """
        WITH created AS (
            INSERT INTO user_points (user_name, points) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING user_name, points),
        booked AS (
            INSERT INTO points_change (user_name, points, why)
            SELECT user_name, points, 'put' FROM created WHERE points <> 0)
        SELECT user_name FROM created
        """

    private func pointLog(_ name: String, limit: Int) async throws -> PointLog {
        _ = try await find(name)
        let rows = try await database.query(
            """
            SELECT l.order_id, l.point, l.created_at FROM point_log l JOIN user_points u USING (user_id)
            WHERE u.user_name = $1 ORDER BY l.created_at DESC, l.order_id DESC LIMIT $2
            """, [.text(name), .int(limit)])
        return PointLog(
            entries: try rows.map { row in
                Entry(
                    orderId: try row.decode(String.self, at: 0), userName: name,
                    point: try row.decode(Int64.self, at: 1), createdAt: try row.decode(Date.self, at: 2))
            })
    }
}
