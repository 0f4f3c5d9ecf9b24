import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: replicas", .timeLimit(.minutes(5)))
    struct KillTests {
        @Test("two processes of order and of stock under load, one of each killed again and again: exact sums")
        func killed() async throws {
            try await Suite.withTransactions { suite in
                // Each order process with a stock process of its own; both pairs on the same two databases.
                let stock = try suite.start(.stock, replica: true)
                try await suite.awaitReady(stock)
                let order = try suite.start(
                    .order, replica: true, settings: ["STOCK_URL": "http://127.0.0.1:\(stock.port)"])
                try await suite.awaitReady(order)
                let modes = OrderDraft.Mode.each + OrderDraft.Mode.pairs + OrderDraft.Mode.trees
                let load = suite.load(clients: 10, pause: .milliseconds(5), ports: [suite.port(.order), order.port]) {
                    .varied($0, in: modes, spending: $0 % 2)
                }
                let deadline = ContinuousClock.now + .seconds(120)
                var kills = 0
                while ContinuousClock.now < deadline {
                    for role in [Role.order, .stock] {
                        try await Task.sleep(for: .milliseconds(.random(in: 200...1_200)))
                        let victim = try #require(
                            suite.running.filter { $0.name.hasPrefix(role.rawValue) }.randomElement())
                        try await victim.crash()
                        kills += 1
                        try suite.startAgain(victim)
                    }
                }
                for process in suite.running { try await suite.awaitReady(process) }
                try await grow(load, by: 30)
                let attempts = await load.stop()
                print("suite: \(kills) kills: \(attempts.summary)")
                // Two minutes of bad luck make an initiator ask again only once a minute; the branches themselves are over.
                try await suite.awaitEnded(within: .seconds(20), confirmed: .seconds(100))
                try await suite.expectAgreement(attempts)
            }
        }
    }
}
