import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: points refused afterwards", .timeLimit(.minutes(2)))
    struct RefundTests {
        private func rename(_ suite: Suite, _ user: String, to name: String) async throws {
            _ = try await suite.rows(
                .userPoints, "UPDATE user_points SET user_name = $2 WHERE user_name = $1", [.text(user), .text(name)])
        }

        @Test("an order whose points cannot be added is cancelled: stock and spent points come back")
        func refunded() async throws {
            try await Suite.withTransactions { suite in
                var attempts: [Attempt] = []
                var points: [String: Int] = [:]
                for mode in OrderDraft.Mode.some {
                    let user = "user of \(mode.name)"
                    points[user] = 100
                    _ = try await suite.rows(
                        .userPoints, "INSERT INTO user_points (user_name, points) VALUES ($1, 100)", [.text(user)])
                    // A user does not vanish by itself: the points of the order wait behind a table that is not there,
                    // until whoever wants them is gone.
                    _ = try await suite.rows(.userPoints, "ALTER TABLE point_log RENAME TO point_log_away")
                    var draft = OrderDraft(user, ["tea": 1])
                    draft.spendPoints = 30
                    draft.mode = mode
                    let attempt = try await suite.place(draft)
                    #expect(attempt.status == 201, "\(mode.name): \(attempt.outcome)")
                    attempts.append(attempt)
                    try await suite.awaitEnded()
                    #expect(try await suite.points(user) == 70, "\(mode.name)")
                    let stock = try suite.process(.stock)
                    stock.signal(SIGSTOP)
                    try await rename(suite, user, to: "away")
                    _ = try await suite.rows(.userPoints, "ALTER TABLE point_log_away RENAME TO point_log")
                    try await suite.awaitStatus("cancelling", key: attempt.key)
                    // Back in time for the refund, which follows the stock.
                    try await rename(suite, "away", to: user)
                    stock.signal(SIGCONT)
                    try await suite.awaitStatus("cancelled", key: attempt.key)
                    #expect(try await suite.points(user) == 100, "\(mode.name)")
                    #expect(try await suite.available("tea") == Seed.available, "\(mode.name)")
                }
                try await suite.expectAgreement(attempts, cancelled: attempts.count, points: points)
            }
        }
    }
}

extension Suite {
    fileprivate func awaitStatus(_ status: String, key: String) async throws {
        try await eventually("the order is \(status)") {
            try await self.number(
                .order, "SELECT count(*) FROM orders WHERE idempotency_key = $1 AND status = $2",
                [.text(key), .text(status)]) == 1
        }
    }
}
