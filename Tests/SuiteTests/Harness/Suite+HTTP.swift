import Foundation
import SettleTestSupport
import Testing

extension Suite {
    /// One request on a connection of its own, away from the threads that must not block.
    func send(
        _ method: String, _ role: Role, _ path: String, json: String? = nil, headers: [String: String] = [:],
        authorized: Bool = false
    ) async throws -> HTTPAnswer {
        var headers = headers
        if json != nil { headers["Content-Type"] = "application/json" }
        if authorized { headers["Authorization"] = "Bearer \(token)" }
        return try await HTTPConnection.send(method, port(role), path, headers: headers, body: Array((json ?? "").utf8))
            .get()
    }

    /// Nil while nobody answers.
    func get(_ port: Int, _ path: String) async throws -> HTTPAnswer? {
        switch await HTTPConnection.send("GET", port, path) {
        case .success(let answer): answer
        case .failure: nil
        }
    }

    /// The status and the checks of `/health/ready`; nil while nobody answers.
    func readiness(_ role: Role) async throws -> (status: Int, checks: [String: String])? {
        struct Ready: Decodable {
            let checks: [String: String]
        }
        guard let answer = try await get(port(role), "/health/ready") else { return nil }
        return (answer.status, try answer.decode(Ready.self).checks)
    }

    /// Waits until `/health/ready` of `role` says `status`, with `check` as given.
    func awaitReadiness(
        _ role: Role, _ status: Int, _ check: String, _ state: String, within limit: Duration = .seconds(30)
    ) async throws {
        try await eventually("readiness of \(role.rawValue) is \(status) with \(check) \(state)", within: limit) {
            guard let ready = try await self.readiness(role) else { return false }
            return ready.status == status && ready.checks[check] == state
        }
    }

    /// The sum of all samples of a metric, whatever their labels.
    func metric(_ role: Role, _ name: String) async throws -> Double {
        let text = try #require(try await get(port(role), "/metrics")).text
        return text.split(separator: "\n").filter { $0.hasPrefix(name + " ") || $0.hasPrefix(name + "{") }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }

    func seed() async throws {
        for user in Seed.users {
            let answer = try await send(
                "PUT", .userPoints, "/users/\(user)", json: #"{"points":\#(Seed.points)}"#, authorized: true)
            try #require([200, 201].contains(answer.status), "\(answer.text)")
        }
        for (sku, price) in Seed.products { try await putProduct(sku, price: price, available: Seed.available) }
    }

    func putProduct(_ sku: String, price: Int, available: Int) async throws {
        let path = try #require(sku.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed))
        let answer = try await send(
            "PUT", .stock, "/products/\(path)",
            json: #"{"title":"\#(sku)","unitPrice":\#(price),"available":\#(available)}"#, authorized: true)
        try #require([200, 201].contains(answer.status), "\(answer.text)")
    }

    /// Clients of the order service.
    func load(
        clients: Int, limit: Int = .max, pause: Duration = .zero, ports: [Int]? = nil,
        draft: @escaping @Sendable (Int) -> OrderDraft = OrderDraft.varied
    ) -> Load {
        Load(ports: ports ?? [port(.order)], clients: clients, limit: limit, pause: pause, draft: draft)
    }
}
