import Foundation
import Hummingbird
import Postgres
import ServiceKit

/// `/users`: balances, and where they come from.
struct UserRoutes {
    struct User: Codable {
        let userName: String
        let points: Int64
    }

    struct NewUser: Decodable {
        let points: Int64
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

    func add(to open: ServiceRoutes, guarded: ServiceRoutes) {
        open.get("users/:userName") { _, context in
            try Response.json(try await find(try context.pathParameter("userName")))
        }
        open.get("users/:userName/point-log") { request, context in
            let limit = try request.queryInteger("limit", in: 1...200, default: 50)
            return try Response.json(try await pointLog(try context.pathParameter("userName"), limit: limit))
        }
        guarded.put("users/:userName") { request, context in
            let name = try context.pathParameter("userName")
            try UserName.check(name)
            let body = try await requireJSON(NewUser.self, from: request, context: context)
            try Check.range("points", body.points, in: 0...1_000_000_000_000)
            let isNew = try await create(name, points: body.points)
            return try Response.json(try await find(name), status: isNew ? .created : .ok)
        }
    }

    private func find(_ name: String) async throws -> User {
        let rows = try await database.query("SELECT points FROM user_points WHERE user_name = $1", [.text(name)])
        guard let row = rows.first else { throw Problem.notFound("there is no such user") }
        return User(userName: name, points: try row.decode(Int64.self, at: 0))
    }

    /// False when the user existed; the balance is not touched then.
    private func create(_ name: String, points: Int64) async throws -> Bool {
        try await database.transaction { transaction in
            transaction.add(UserName.lock, [.texts([name])])
            let ticket = transaction.add(
                """
                INSERT INTO user_points (user_name, points) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING user_id
                """, [.text(name), .int64(points)])
            return !(try transaction.rows(of: ticket)).isEmpty
        }
    }

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
