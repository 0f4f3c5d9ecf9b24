import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

/// The books of all three databases, and whether they agree to the unit.
struct Ledger: Sendable {
    struct Order: Sendable {
        let id: String
        let key: String?
        let userName: String
        let point: Int
        let spendPoints: Int
        let status: String
        let mode: String
        let items: [OrderDraft.Item]
    }

    struct ArchivedTask: Hashable, Sendable {
        let order: String
        let type: String
        let status: String
    }

    let orders: [Order]
    let liveTasks: Int
    let archive: [ArchivedTask]
    let pointLog: [String: Int]
    let points: [String: Int]
    let available: [String: Int]
    /// Of products and of users.
    let reserved: [String: Int]

    init(_ suite: Suite) async throws {
        orders = try await suite.rows(
            .order,
            """
            SELECT id::text, idempotency_key, user_name, point, spend_points, status, mode,
                   (SELECT json_agg(json_build_object('sku', sku, 'quantity', quantity))
                    FROM order_item WHERE order_id = orders.id)::text
            FROM orders
            """
        ).map { row in
            Order(
                id: try row.decode(String.self, at: 0), key: try row.decode(String?.self, at: 1),
                userName: try row.decode(String.self, at: 2), point: try row.decode(Int.self, at: 3),
                spendPoints: try row.decode(Int.self, at: 4), status: try row.decode(String.self, at: 5),
                mode: try row.decode(String.self, at: 6),
                items: try JSONDecoder().decode(
                    [OrderDraft.Item].self, from: Data(try row.decode(String.self, at: 7).utf8)))
        }
        liveTasks = try await suite.number(.order, "SELECT count(*) FROM task")
        archive = try await suite.rows(.order, "SELECT business_key, task_type, status FROM task_his").map {
            ArchivedTask(
                order: try $0.decode(String.self, at: 0), type: try $0.decode(String.self, at: 1),
                status: try $0.decode(String.self, at: 2))
        }
        pointLog = try await Self.amounts(suite, .userPoints, "SELECT order_id, point FROM point_log")
        points = try await Self.amounts(suite, .userPoints, "SELECT user_name, points FROM user_points")
        available = try await Self.amounts(suite, .stock, "SELECT sku, available FROM product")
        reserved = try await Self.amounts(suite, .stock, "SELECT sku, reserved FROM product").merging(
            Self.amounts(suite, .userPoints, "SELECT user_name, reserved FROM user_points"), uniquingKeysWith: +)
    }

    private static func amounts(_ suite: Suite, _ role: Role, _ sql: String) async throws -> [String: Int] {
        Dictionary(
            try await suite.rows(role, sql).map { (try $0.decode(String.self, at: 0), try $0.decode(Int.self, at: 1)) },
            uniquingKeysWith: { first, _ in first })
    }

    var settled: [Order] { orders.filter { $0.status == "settled" } }

    /// All that does not agree, in words.
    ///
    /// - Parameters:
    ///   - points: what each user had at first.
    ///   - available: what there was of each product at first.
    func disagreements(points: [String: Int], available: [String: Int]) -> [String] {
        var found: [String] = []
        func expect(_ isTrue: Bool, _ what: @autoclosure () -> String) {
            if !isTrue { found.append(what()) }
        }
        expect(liveTasks == 0, "\(liveTasks) tasks are unanswered")
        for order in orders where !["settled", "cancelled"].contains(order.status) {
            found.append("order \(order.id) is \(order.status)")
        }
        let tasks = Dictionary(grouping: archive, by: \.order)
        for order in orders {
            let its = (tasks[order.id] ?? []).map { "\($0.type) \($0.status)" }.sorted()
            expect(
                Self.tasks(of: order).contains(its),
                "order \(order.id), \(order.mode), \(order.status), has tasks \(its)")
        }
        let strangers = Set(tasks.keys).subtracting(orders.map(\.id))
        expect(strangers.isEmpty, "tasks of \(strangers.count) orders that do not exist")

        let earned = Dictionary(settled.map { ($0.id, $0.point) }, uniquingKeysWith: +)
        for (id, point) in earned where pointLog[id] != point {
            found.append("order \(id) earned \(point), point_log has \(pointLog[id].map(String.init) ?? "nothing")")
        }
        for id in pointLog.keys where earned[id] == nil { found.append("point_log has \(id), which is not settled") }

        var balances = points
        var stock = available
        for order in settled {
            balances[order.userName, default: 0] += order.point - order.spendPoints
            for item in order.items { stock[item.sku, default: 0] -= item.quantity }
        }
        for (user, balance) in balances {
            expect(
                self.points[user] == balance, "\(user) has \(self.points[user] ?? -1) points and should have \(balance)"
            )
        }
        for (sku, count) in stock {
            expect(
                self.available[sku] == count, "of \(sku) there are \(self.available[sku] ?? -1) and should be \(count)")
        }
        for (name, count) in reserved { expect(count == 0, "of \(name) \(count) are still reserved") }
        return found
    }

    /// The ways in which an order may have come to its end.
    private static func tasks(of order: Order) -> [[String]] {
        switch (order.mode, order.status) {
        case ("message", "settled"): [["addpoint finished", "deductstock finished"]]
        case ("message", "cancelled"):
            [["deductstock rejected"], ["addpoint rejected", "deductstock finished", "restock finished"]]
        case (_, "settled"): [["addpoint finished"]]
        case _ where order.spendPoints > 0: [["addpoint rejected", "refundpoint finished", "restock finished"]]
        default: [["addpoint rejected", "restock finished"]]
        }
    }
}

extension Suite {
    /// Waits until all is settled, and checks that the books agree with each other and with what the clients were told.
    ///
    /// - Parameters:
    ///   - attempts: what the clients saw.
    ///   - cancelled: how many orders must have been cancelled; without it, those of unknown users and only those.
    ///   - points: what users had at first who were not seeded.
    ///   - available: what there was at first of products that were not seeded.
    @discardableResult
    func expectAgreement(
        _ attempts: [Attempt], cancelled: Int? = nil, points: [String: Int] = [:], available: [String: Int] = [:],
        within limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Ledger {
        try await awaitSettled(within: limit)
        let ledger = try await Ledger(self)
        let disagreements = ledger.disagreements(
            points: Dictionary(uniqueKeysWithValues: Seed.users.map { ($0, Seed.points) }).merging(points) { $1 },
            available: Seed.products.mapValues { _ in Seed.available }.merging(available) { $1 })
        if !disagreements.isEmpty {
            Issue.record(
                "\(disagreements.count) disagreements: \(disagreements.prefix(12).joined(separator: "; "))",
                sourceLocation: sourceLocation)
        }
        if let cancelled {
            #expect(ledger.orders.count { $0.status == "cancelled" } == cancelled, sourceLocation: sourceLocation)
        } else {
            let wrong = ledger.orders.filter { ($0.status == "settled") != Seed.users.contains($0.userName) }
            #expect(wrong.isEmpty, "\(wrong.count) orders ended in the wrong way", sourceLocation: sourceLocation)
        }
        let ids = Set(ledger.orders.map(\.id))
        let placed = attempts.filter { $0.status == 201 }
        let lost = placed.filter { !ids.contains($0.orderID ?? "") }
        #expect(lost.isEmpty, "\(lost.count) orders that were answered 201 are lost", sourceLocation: sourceLocation)
        let keys = Set(attempts.map(\.key))
        let strangers = ledger.orders.filter { order in !(order.key.map(keys.contains) ?? false) }
        #expect(strangers.isEmpty, "\(strangers.count) orders that nobody placed", sourceLocation: sourceLocation)
        return ledger
    }
}
