import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: order has moved", .timeLimit(.minutes(3)))
    struct MovedTests {
        @Test(
            "branches from before are asked about at the new address, since they name who decides; one that names nobody known is counted"
        )
        func moved() async throws {
            try await Suite.withTransactions { suite in
                var draft = OrderDraft("alice", ["tea": 1])
                draft.mode = .all("tcc")
                #expect(try await suite.place(draft).status == 201)
                let participants = try await suite.rows(.order, "SELECT participants[1] FROM settle.global_transaction")
                #expect(try participants.map { try $0.decode(String.self, at: 0) } == ["stock"])
                try await suite.awaitEnded()

                try await suite.process(.order).crash()
                let before = try await suite.available("tea")
                #expect(try await suite.deduct(3, mode: "at", xid: UUID().uuidString).status == 200)
                #expect(try await suite.deduct(3, of: "cup", mode: "xa", xid: UUID().uuidString).status == 200)

                let order = try suite.start(.order, replica: true)
                try await suite.awaitReady(order)
                try await suite.stop(try suite.process(.stock))
                try suite.start(.stock, settings: ["ORDER_URL": "http://127.0.0.1:\(order.port)"])
                try await suite.awaitReady(.stock)
                try await suite.awaitEnded()
                #expect(try await suite.available("tea") == before)

                _ = try await suite.rows(
                    .stock,
                    """
                    INSERT INTO settle.branch (xid, state, mode, action, initiator, request, answer)
                    VALUES ('lost', 'undecided', 'saga', 'deduct', 'http://gone.test:1', '{}', '{}')
                    """)
                try await eventually("it is counted") {
                    try await suite.metric(.stock, "settle_branches_unresolved") == 1
                }
                try await eventually("its age is shown") {
                    try await suite.metric(.stock, "settle_branch_oldest_age_seconds") > 1
                }
                _ = try await suite.rows(.stock, "DELETE FROM settle.branch WHERE xid = 'lost'")
            }
        }
    }
}
