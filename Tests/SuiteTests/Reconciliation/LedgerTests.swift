import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Ledgers", .timeLimit(.minutes(4)))
    struct LedgerTests {
        private static let looks = 200

        @Test(
            "200 looks while orders run in every mode, are refused, undone and given back: no look finds a difference")
        func looks() async throws {
            try await Suite.with(settings: Suite.impatient, centre: true) { suite in
                let modes: [OrderDraft.Mode] = [.message, .centre] + OrderDraft.Mode.each + OrderDraft.Mode.pairs
                let load = suite.load(clients: 16) { number in
                    var draft = OrderDraft.varied(number)
                    draft.mode = modes[number / 8 % modes.count]
                    let isGlobal = draft.mode != .message && draft.mode != .centre
                    switch number % 8 {
                    case 1: draft.userName = "nobody"  // given back by a task, or refused by user-points
                    case 2 where isGlobal: draft.spendPoints = 1_000_000  // refused after stock has done its part
                    case 3: draft.items = [.init(sku: "tea", quantity: 1_000_000)]  // soon there is not enough
                    default: draft.spendPoints = isGlobal ? 1 : 0
                    }
                    return draft
                }
                var found: [String] = []
                var look = 0
                // However slow the machine is.
                while look < Self.looks || load.placed < 200 {
                    look += 1
                    if look % 10 == 5 { try await self.put(suite, available: 900_000 + look) }
                    for role in [Role.stock, .userPoints] {
                        let balances = try await suite.balances(role)
                        #expect(balances.accounts == 3)
                        found += balances.differences.map { "\(look): \($0)" }
                    }
                }
                let attempts = await load.stop()
                print("suite: \(2 * look) looks at balances beside \(attempts.summary)")
                #expect(found.isEmpty, "\(found.prefix(10).joined(separator: "; "))")
                try await suite.awaitSettled()
                try await suite.awaitEnded()
                for role in [Role.stock, .userPoints] {
                    let balances = try await suite.balances(role)
                    #expect(balances.differences.isEmpty, "\(balances.differences)")
                }
                let kept = try await suite.number(
                    .stock, "SELECT count(*) FROM product WHERE reserved <> 0")
                #expect(kept == 0)
            }
        }

        /// A product that a global transaction holds is not changed.
        private func put(_ suite: Suite, available: Int) async throws {
            let answer = try await suite.send(
                "PUT", .stock, "/products/cup", json: #"{"title":"cup","unitPrice":800,"available":\#(available)}"#,
                authorized: true)
            try #require(answer.status == 200 || answer.isLocked, "\(answer.text)")
        }
    }
}
