import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Names and numbers at their edges", .timeLimit(.minutes(2)))
    struct NamesTests {
        private static let composed = "caf\u{E9}"
        private static let decomposed = "cafe\u{301}"

        @Test("two products whose names look alike keep their own prices, in every mode, asked for side by side")
        func lookAlikes() async throws {
            // This is not about how long one waits for a row that all want.
            try await Suite.with(settings: ["ROW_LOCK_TIMEOUT": "20s", "TRANSACTION_DEADLINE": "30s"]) { suite in
                try await suite.putProduct(Self.composed, price: 10, available: 1_000_000)
                try await suite.putProduct(Self.decomposed, price: 1_000, available: 1_000_000)
                let modes = OrderDraft.Mode.some + [.message]
                let load = suite.load(clients: 8, limit: 320) { number in
                    var draft = OrderDraft("alice", [number % 2 == 0 ? Self.composed : Self.decomposed: 1])
                    // Neighbours in the batches differ in the name alone.
                    draft.mode = modes[number / 2 % modes.count]
                    return draft
                }
                let attempts = await load.finished()
                #expect(attempts.count(status: 201) == 320, "\(attempts.summary)")
                try await suite.awaitSettled()
                let wrong = try await suite.number(
                    .order,
                    """
                    SELECT count(*) FROM orders o JOIN order_item i ON i.order_id = o.id
                    WHERE o.total <> CASE octet_length(i.sku) WHEN 5 THEN 10 ELSE 1000 END OR o.total <> i.unit_price
                    """)
                #expect(wrong == 0)
                let left = try await suite.number(
                    .stock, "SELECT count(*) FROM product WHERE sku LIKE 'caf%' AND available = 1000000 - 160")
                #expect(left == 2)
            }
        }

        private struct Placed: Decodable {
            let total: Int
        }

        @Test("one order may name both")
        func both() async throws {
            try await Suite.with { suite in
                try await suite.putProduct(Self.composed, price: 10, available: 100)
                try await suite.putProduct(Self.decomposed, price: 1_000, available: 100)
                for mode in OrderDraft.Mode.some + [.message] {
                    var draft = OrderDraft("alice", [Self.composed: 1, Self.decomposed: 1])
                    draft.mode = mode
                    let answer = try await suite.place(draft).outcome.get()
                    #expect(answer.status == 201, "\(mode): \(answer.text)")
                    #expect(try answer.decode(Placed.self).total == 1_010, "\(mode): \(answer.text)")
                }
                try await suite.awaitSettled()
            }
        }

        @Test("points that no balance can hold are refused: the order ends, its stock comes back, others settle")
        func overflow() async throws {
            try await Suite.with { suite in
                _ = try await suite.rows(
                    .userPoints, "INSERT INTO user_points (user_name, points) VALUES ('rich', 9223372036854775807 - 5)")
                let load = suite.load(clients: 4, limit: 40) { number in
                    OrderDraft(number % 4 == 0 ? "rich" : "bob", ["tea": 1])
                }
                let attempts = await load.finished()
                #expect(attempts.count(status: 201) == 40, "\(attempts.summary)")
                try await suite.awaitSettled()
                let ended = try await suite.rows(
                    .order,
                    "SELECT user_name || ' ' || status || ' ' || count(*) FROM orders GROUP BY user_name, status"
                ).map { try $0.decode(String.self, at: 0) }
                #expect(ended.sorted() == ["bob settled 30", "rich cancelled 10"])
                #expect(try await suite.available("tea") == Seed.available - 30)
                #expect(try await suite.points("bob") == Seed.points + 30 * 120)
            }
        }
    }
}
