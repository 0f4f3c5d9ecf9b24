import Foundation
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: order is away", .timeLimit(.minutes(5)))
    struct AwayTests {
        @Test(
            "branches wait, nothing is guessed, nobody spins; when it is back, all of them follow what it decided",
            arguments: [(SIGSTOP, 20), (SIGKILL, 60)])
        func away(signal: Int32, seconds: Int) async throws {
            try await Suite.withTransactions { suite in
                let load = suite.load(clients: 12) {
                    .varied($0, in: OrderDraft.Mode.each + OrderDraft.Mode.trees, spending: 1)
                }
                try await grow(load, by: 40)
                let order = try suite.process(.order)
                order.signal(signal)
                if signal == SIGKILL { try await order.awaitExit() }
                // What had left it still arrives, and may wait for a row: ROW_LOCK_TIMEOUT, 2 s.
                try await Task.sleep(for: .seconds(3))
                let waiting = try await suite.undecided(.stock).sorted()
                try #require(!waiting.isEmpty, "it was caught in the middle of something")
                let asked = try await suite.metric(.stock, "settle_check_backs_total")
                let time = try suite.process(.stock).processorTime
                try await Task.sleep(for: .seconds(seconds))
                #expect(try await suite.undecided(.stock).sorted() == waiting, "nothing is guessed")
                let questions = try await suite.metric(.stock, "settle_check_backs_total") - asked
                #expect(questions <= Double(waiting.count * seconds), "about once a second, and ever more rarely")
                let share = (try suite.process(.stock).processorTime - time) / .seconds(seconds)
                print("suite: order away: \(waiting.count) wait, asked \(questions) times, stock at \(share * 100) %")
                #expect(share < 0.1)

                if signal == SIGSTOP { order.signal(SIGCONT) } else { try await suite.restart(.order) }
                let attempts = await load.stop()
                try await suite.awaitEnded(within: .seconds(20))
                try await suite.expectAgreement(attempts)
            }
        }
    }
}
