import Foundation
import SettleTestSupport

/// The suite as an operator and a customer see it, by its public routes only.
struct Shop: Sendable {
    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    let ports: ServicePorts
    private let token: String

    init(_ ports: ServicePorts) throws {
        guard let token = ProcessInfo.processInfo.environment["SETTLE_TOKEN"] else {
            throw Refused(description: "SETTLE_TOKEN is not set")
        }
        (self.ports, self.token) = (ports, token)
    }

    func get<T: Decodable>(_ type: T.Type, _ port: Int, _ path: String) async throws -> T {
        let answer = try await HTTPConnection.send("GET", port, path, headers: ["Authorization": "Bearer \(token)"])
            .get()
        guard answer.status == 200 else { throw Refused(description: "GET \(path): \(answer.status) \(answer.text)") }
        return try answer.decode()
    }

    private func create(_ port: Int, _ path: String, _ json: String) async throws {
        let answer = try await HTTPConnection.send(
            "PUT", port, path, headers: ["Authorization": "Bearer \(token)", "Content-Type": "application/json"],
            body: Array(json.utf8)
        ).get()
        guard answer.status == 201 else { throw Refused(description: "PUT \(path): \(answer.status) \(answer.text)") }
    }

    func makeUser(_ name: String, points: Int) async throws {
        try await create(ports.points, "/users/\(name)", #"{"points": \#(points)}"#)
    }

    func makeProduct(_ sku: String, price: Int, available: Int) async throws {
        try await create(
            ports.stock, "/products/\(sku)",
            #"{"title": "Test product", "unitPrice": \#(price), "available": \#(available)}"#)
    }

    /// How many orders of `user` have each status.
    func statuses(of user: String) async throws -> [String: Int] {
        struct Page: Decodable {
            struct Order: Decodable { let status: String }
            let orders: [Order]
            let next: String?
        }
        var counts: [String: Int] = [:]
        var next: String?
        repeat {
            let before = next?.addingPercentEncoding(withAllowedCharacters: .alphanumerics).map { "&before=\($0)" }
            let page = try await get(Page.self, ports.order, "/orders?userName=\(user)&limit=200\(before ?? "")")
            for order in page.orders { counts[order.status, default: 0] += 1 }
            next = page.next
        } while next != nil
        return counts
    }

    func points(of user: String) async throws -> Int {
        struct User: Decodable { let points: Int }
        return try await get(User.self, ports.points, "/users/\(user)").points
    }

    /// The orders of the latest entries in the point log, at most 200.
    func pointLog(of user: String) async throws -> [String] {
        struct Log: Decodable {
            struct Entry: Decodable { let orderId: String }
            let entries: [Entry]
        }
        return try await get(Log.self, ports.points, "/users/\(user)/point-log?limit=200").entries.map(\.orderId)
    }

    struct Stock: Decodable, Equatable {
        let available: Int
        let reserved: Int
    }

    func stock(of sku: String) async throws -> Stock { try await get(Stock.self, ports.stock, "/products/\(sku)") }

    /// Branches that have no decision yet.
    func undecided() async throws -> Int {
        struct Branches: Decodable {
            struct Branch: Decodable { let xid: String }
            let branches: [Branch]
        }
        let both = [ports.stock, ports.points]
        var count = 0
        for port in both { count += try await get(Branches.self, port, "/transactions").branches.count }
        return count
    }

    struct Backlog: Decodable, Equatable {
        let pending: Int
        let parked: Int
    }

    func backlog() async throws -> Backlog {
        struct Tasks: Decodable { let counts: Backlog }
        return try await get(Tasks.self, ports.order, "/tasks?limit=1").counts
    }
}
