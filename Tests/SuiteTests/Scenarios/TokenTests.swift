import SettleTestSupport
import Testing

extension Proof {
    @Suite("Tokens", .timeLimit(.minutes(4)))
    struct TokenTests {
        private static let newer = "newer-token-0123456789"

        /// Every way of one service to another: the branches of both participants, phase 2, check-back, tasks.
        private static func draft(_ number: Int) -> OrderDraft {
            .varied(number, in: [.all("at"), .all("tcc"), .all("xa"), .all("saga")], spending: 1)
        }

        @Test("a token is changed under load, one process after the other: every order is placed, nothing is refused")
        func rotation() async throws {
            try await Suite.withTransactions { suite in
                let older = suite.token
                let steps = [
                    ["SETTLE_TOKEN": older, "SETTLE_TOKENS_ACCEPTED": Self.newer],
                    ["SETTLE_TOKEN": Self.newer, "SETTLE_TOKENS_ACCEPTED": older],
                    ["SETTLE_TOKEN": Self.newer],
                ]
                var attempts: [Attempt] = []
                for (number, step) in steps.enumerated() {
                    for role in Role.allCases {
                        try await suite.stop(try suite.process(role))
                        try await suite.awaitReady(try suite.start(role, settings: step))
                        let some = await suite.load(clients: 4, limit: 12, draft: Self.draft).finished()
                        #expect(some.count(status: 201) == 12, "step \(number), \(role.rawValue): \(some.summary)")
                        attempts += some
                    }
                }
                try await suite.awaitEnded()
                try await suite.expectAgreement(attempts)
                let refused = try await suite.send("GET", .order, "/tasks", authorized: true)
                #expect(refused.status == 401, "the older token is accepted no more")
                let headers = ["Authorization": "Bearer \(Self.newer)"]
                #expect(try await suite.send("GET", .order, "/tasks", headers: headers).status == 200)
            }
        }

        @Test("a token for each pair: orders are placed and end, and no token opens another door")
        func pairs() async throws {
            let (stock, points) = ("order-to-stock-0123456789", "order-to-points-0123456789")
            let (fromStock, fromPoints) = ("stock-to-order-0123456789", "points-to-order-0123456789")
            let settings: [Role: [String: String]] = [
                .order: [
                    "SETTLE_TOKENS_ACCEPTED": "\(fromStock),\(fromPoints)", "STOCK_TOKEN": stock,
                    "POINTS_TOKEN": points,
                    // Dies between its commit and phase 2, so that the participants have to ask.
                    "SETTLE_FAULTS": "initiator.beforeCommitRequest=kill@5",
                ],
                .stock: ["SETTLE_TOKENS_ACCEPTED": stock, "ORDER_TOKEN": fromStock],
                .userPoints: ["SETTLE_TOKENS_ACCEPTED": points, "ORDER_TOKEN": fromPoints],
            ]
            try await Suite.with(settings: Suite.impatient, start: false) { suite in
                for role in Role.allCases { try suite.start(role, settings: try #require(settings[role])) }
                for role in Role.allCases { try await suite.awaitReady(role) }
                try await suite.seed()
                let dying = try suite.process(.order)
                let load = suite.load(clients: 4, limit: 40, draft: Self.draft)
                try await dying.awaitExit(within: .seconds(60))
                var sound = try #require(settings[.order])
                sound["SETTLE_FAULTS"] = nil
                try await suite.awaitReady(try suite.start(.order, settings: sound))
                let attempts = await load.finished()
                try await suite.awaitEnded()
                try await suite.expectAgreement(attempts)
                let doors: [(String, Role, String)] = [
                    (stock, .userPoints, "/transactions"), (points, .stock, "/transactions"),
                    (fromStock, .stock, "/transactions"), (stock, .order, "/tasks"),
                ]
                for (token, role, path) in doors {
                    let headers = ["Authorization": "Bearer \(token)"]
                    #expect(try await suite.send("GET", role, path, headers: headers).status == 401)
                }
            }
        }
    }
}
