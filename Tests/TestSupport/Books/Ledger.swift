/// The books of all three databases, and whether they agree to the unit.
package struct Ledger: Sendable {
    package struct Order: Sendable {
        package let id: String
        package let key: String?
        package let userName: String
        package let point: Int
        package let spendPoints: Int
        package let status: String
        package let mode: String
        package let items: [OrderDraft.Item]

        package init(
            id: String, key: String? = nil, userName: String, point: Int, spendPoints: Int, status: String,
            mode: String,
            items: [OrderDraft.Item]
        ) {
            (self.id, self.key, self.userName) = (id, key, userName)
            (self.point, self.spendPoints) = (point, spendPoints)
            (self.status, self.mode, self.items) = (status, mode, items)
        }
    }

    package struct ArchivedTask: Hashable, Sendable {
        package let order: String
        package let type: String
        package let status: String

        package init(order: String, type: String, status: String) {
            (self.order, self.type, self.status) = (order, type, status)
        }
    }

    package let orders: [Order]
    package let liveTasks: Int
    package let archive: [ArchivedTask]
    package let pointLog: [String: Int]
    package let points: [String: Int]
    package let available: [String: Int]
    /// Of products and of users.
    package let reserved: [String: Int]

    package init(
        orders: [Order], liveTasks: Int, archive: [ArchivedTask], pointLog: [String: Int], points: [String: Int],
        available: [String: Int], reserved: [String: Int]
    ) {
        self.orders = orders
        self.liveTasks = liveTasks
        self.archive = archive
        self.pointLog = pointLog
        self.points = points
        self.available = available
        self.reserved = reserved
    }

    package var settled: [Order] { orders.filter { $0.status == "settled" } }

    /// All that does not agree, in words.
    ///
    /// - Parameters:
    ///   - points: what each user had at first.
    ///   - available: what there was of each product at first.
    package func disagreements(points: [String: Int], available: [String: Int]) -> [String] {
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
        // Its messages are looked at where they are archived.
        case ("centre", _): [[]]
        case ("message", "settled"): [["addpoint finished", "deductstock finished"]]
        case ("message", "cancelled"):
            [["deductstock rejected"], ["addpoint rejected", "deductstock finished", "restock finished"]]
        case (_, "settled"): [["addpoint finished"]]
        case _ where order.spendPoints > 0: [["addpoint rejected", "refundpoint finished", "restock finished"]]
        default: [["addpoint rejected", "restock finished"]]
        }
    }
}
