import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: services far from each other", .timeLimit(.minutes(3)))
    struct LatencyTests {
        private static let delay = Duration.milliseconds(1_700)
        private static let orders = 64

        @Test(
            "seconds on the way to each participant and back: participants ask meanwhile, and every order is placed and settles"
        )
        func slow() async throws {
            try await Suite.with(start: false) { suite in
                let lines = try Dictionary(
                    uniqueKeysWithValues: Role.allCases.map { role in
                        (role, try SlowLine(to: suite.port(role), delay: Self.delay))
                    })
                let far = [
                    "ORDER_URL": lines[.order]?.url ?? "", "STOCK_URL": lines[.stock]?.url ?? "",
                    "POINTS_URL": lines[.userPoints]?.url ?? "",
                ]
                for role in Role.allCases { try suite.start(role, settings: far) }
                for role in Role.allCases { try await suite.awaitReady(role) }
                try await suite.seed()
                // A product and a user for each: this is about time, not about rows that many want.
                _ = try await suite.rows(
                    .stock,
                    """
                    INSERT INTO product (sku, title, unit_price, available)
                    SELECT 'cool-' || n, 'Cool', 50, 100 FROM generate_series(0, $1 - 1) AS n
                    """, [.int(Self.orders)])
                _ = try await suite.rows(
                    .userPoints,
                    """
                    INSERT INTO user_points (user_name, points)
                    SELECT 'user-' || n, 100 FROM generate_series(0, $1 - 1) AS n
                    """, [.int(Self.orders)])
                let modes = OrderDraft.Mode.each
                let attempts = await suite.load(clients: 32, limit: Self.orders) { number in
                    var draft = OrderDraft("user-\(number)", [:])
                    draft.items = [.init(sku: "cool-\(number)", quantity: 1)]
                    draft.spendPoints = 10
                    draft.mode = modes[number % modes.count]
                    return draft
                }.finished()
                #expect(attempts.count(status: 201) == Self.orders, "\(attempts.summary)")
                #expect(try await suite.metric(.stock, "settle_check_backs_total") > 0, "it was asked about some")
                #expect(
                    try await suite.number(
                        .order, "SELECT count(*) FROM settle.global_transaction WHERE decision = 'abort'") == 0)
                try await suite.awaitEnded(within: .seconds(30))
                let all = 0..<Self.orders
                try await suite.expectAgreement(
                    attempts, cancelled: 0,
                    points: Dictionary(uniqueKeysWithValues: all.map { ("user-\($0)", 100) }),
                    available: Dictionary(uniqueKeysWithValues: all.map { ("cool-\($0)", 100) }))
                for line in lines.values { line.stop() }
            }
        }
    }
}
