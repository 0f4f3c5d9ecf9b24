import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: order's connection is lost", .timeLimit(.minutes(2)))
    struct LostCommitTests {
        @Test("cut at any moment, COMMIT included, under load: every answer agrees with the database")
        func cut() async throws {
            try await Suite.withTransactions(settings: ["TRANSACTION_CHECK_AFTER": "3s"]) { suite in
                let load = suite.load(clients: 8, pause: .milliseconds(5)) {
                    .varied($0, in: OrderDraft.Mode.some, spending: $0 % 3 == 0 ? 5 : 0)
                }
                for _ in 0..<60 {
                    try await Task.sleep(for: .milliseconds(100))
                    try await suite.surroundings.terminateConnections(of: .order)
                }
                try await grow(load, by: 30)
                let attempts = await load.stop()
                print("suite: order's connections cut 60 times: \(attempts.summary)")
                #expect(attempts.allSatisfy { [201, 409, 503].contains($0.status) }, "\(attempts.summary)")
                #expect(attempts.count(status: 503) > 0, "the cuts were felt")
                try await suite.awaitEnded()
                let ledger = try await suite.expectAgreement(attempts)
                let placed = Set(ledger.orders.compactMap(\.key))
                let lied = attempts.filter { $0.status != 201 && placed.contains($0.key) }
                #expect(
                    lied.isEmpty,
                    "\(lied.count) orders exist whose clients were told of a failure: \(lied.first?.outcome as Any)")
            }
        }
    }
}
