import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: placing orders", .timeLimit(.minutes(6)))
    struct PlacingTests {
        /// As patient as a machine may be slow that runs all of it in debug builds.
        private static let settings = ["ROW_LOCK_TIMEOUT": "4500ms", "TRANSACTION_CHECK_AFTER": "5s"]
        private static let cool = 1_000
        private static let users = 100

        /// A thousand more products, and users who can spend.
        private func enlarge(_ suite: Suite) async throws {
            _ = try await suite.rows(
                .stock,
                """
                INSERT INTO product (sku, title, unit_price, available)
                SELECT 'cool-' || n, 'Cool', 50, 100000 FROM generate_series(1, $1) AS n
                """, [.int(Self.cool)])
            _ = try await suite.rows(
                .userPoints,
                """
                INSERT INTO user_points (user_name, points)
                SELECT 'user-' || n, 100000 FROM generate_series(1, $1) AS n
                """, [.int(Self.users)])
        }

        private func books(_ suite: Suite, _ attempts: [Attempt]) async throws -> Ledger {
            try await suite.expectAgreement(
                attempts, cancelled: 0,
                points: Dictionary(uniqueKeysWithValues: (1...Self.users).map { ("user-\($0)", 100_000) }),
                available: Dictionary(uniqueKeysWithValues: (1...Self.cool).map { ("cool-\($0)", 100_000) }))
        }

        /// One in five wants one of the three hot products; one in four spends points.
        private static func draft(_ number: Int, _ mode: OrderDraft.Mode) -> OrderDraft {
            let hot = Seed.products.keys.sorted()[number % 3]
            let cool = "cool-\((number &* 7919) % Self.cool + 1)"
            let other = "cool-\((number &* 104_729) % Self.cool + 1)"
            var draft = OrderDraft("user-\((number &* 31) % users + 1)", [:])
            draft.items = [.init(sku: number % 5 == 0 ? hot : cool, quantity: 1)]
            if number % 3 == 0, other != cool { draft.items.append(.init(sku: other, quantity: 2)) }
            draft.spendPoints = number % 4 == 0 ? 7 : 0
            draft.mode = mode
            return draft
        }

        @Test(
            "2,000 orders from 32 clients over 3 hot and 1,000 cool products: exact sums, nothing left within 10 s",
            arguments: OrderDraft.Mode.each)
        func load(mode: OrderDraft.Mode) async throws {
            try await Suite.withTransactions(settings: Self.settings) { suite in
                try await enlarge(suite)
                let begin = ContinuousClock.now
                let attempts = await suite.load(clients: 32, limit: 2_000) { Self.draft($0, mode) }.finished()
                let placed = ContinuousClock.now - begin
                try await suite.awaitEnded()
                // A hot row is waited for, but only so long: where others use the machine, too, one or two may be told so.
                let locked = attempts.count { attempt in
                    if case .success(let answer) = attempt.outcome { answer.isLocked } else { false }
                }
                #expect(locked <= 20 && attempts.count(status: 201) == 2_000 - locked, "\(attempts.summary)")
                let ledger = try await books(suite, attempts)
                let settled = ContinuousClock.now - begin
                #expect(ledger.settled.count == 2_000 - locked)
                try await suite.stopAll()
                // With those few of the start and the end.
                let commits = try await (
                    order: suite.counted("xact_commit", at: .order), stock: suite.counted("xact_commit", at: .stock)
                )
                let latencies = attempts.map(\.latency).sorted()
                print(
                    "suite: mode \(mode.name): placed \(Int(2_000 / (placed / .seconds(1)))) orders/s, settled",
                    "\(Int(2_000 / (settled / .seconds(1))))/s, p50 \(latencies[1_000]), p99 \(latencies[1_980]);",
                    "commits per order: order \(Double(commits.order) / 2_000),",
                    "stock \(Double(commits.stock) / 2_000)")
            }
        }

        @Test(
            "every pair of modes, one at stock and the other at user-points, called by order or by stock",
            arguments: [OrderDraft.Mode.pairs, OrderDraft.Mode.trees])
        func pairs(modes: [OrderDraft.Mode]) async throws {
            try await Suite.withTransactions(settings: Self.settings) { suite in
                try await enlarge(suite)
                let attempts = await suite.load(clients: 16, limit: 600) { number in
                    var draft = Self.draft(number, modes[number % modes.count])
                    draft.spendPoints = 7
                    return draft
                }.finished()
                try await suite.awaitEnded()
                #expect(attempts.count(status: 201) == 600, "\(attempts.summary)")
                let ledger = try await books(suite, attempts)
                #expect(Set(ledger.orders.map(\.mode)) == Set(modes.map(\.name)))
            }
        }
    }
}
