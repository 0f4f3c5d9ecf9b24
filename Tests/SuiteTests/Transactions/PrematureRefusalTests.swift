import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: refusals from what is undecided", .timeLimit(.minutes(2)))
    struct PrematureRefusalTests {
        private static let settings = ["TRANSACTION_CHECK_AFTER": "60s", "ROW_LOCK_TIMEOUT": "8s"]

        @Test(
            "the last pieces, or points, are held by a transaction that is undone: who wants them waits, and gets them")
        func undone() async throws {
            try await Suite.withTransactions(settings: Self.settings) { suite in
                var attempts: [Attempt] = []
                var available: [String: Int] = [:]
                for (number, mode) in (OrderDraft.Mode.each + [.message]).enumerated() {
                    let (sku, xid) = ("rare-\(number)", "holder-\(number)")
                    available[sku] = 5
                    try await suite.putProduct(sku, price: 10, available: 5)
                    #expect(try await suite.deduct(5, of: sku, mode: "at", xid: xid).status == 200)
                    var draft = OrderDraft("alice", [:])
                    draft.items = [.init(sku: sku, quantity: 3)]
                    draft.mode = mode
                    attempts.append(try await undo(xid, .stock, suite) { [draft] in try await suite.place(draft) })
                }
                #expect(attempts.allSatisfy { $0.status == 201 }, "\(attempts.summary)")

                let spend = try await suite.send(
                    "POST", .userPoints, "/branches/spend",
                    json: #"{"orderId":"holder","userName":"bob","point":\#(Seed.points)}"#,
                    headers: ["Settle-XID": "holder", "Settle-Mode": "at", "Settle-Initiator": suite.url(.order)],
                    authorized: true)
                #expect(spend.status == 200)
                var draft = OrderDraft("bob", ["kettle": 1])
                draft.spendPoints = 400
                draft.mode = .mixed(stock: "saga", points: "tcc")
                attempts.append(
                    try await undo("holder", .userPoints, suite) { [draft] in try await suite.place(draft) })
                #expect(attempts.last?.status == 201, "\(attempts.summary)")
                try await suite.expectAgreement(attempts, cancelled: 0, available: available)
            }
        }

        /// Rolls `xid` back while `body` is on its way.
        private func undo(
            _ xid: String, _ role: Role, _ suite: Suite, _ body: @escaping @Sendable () async throws -> Attempt
        ) async throws -> Attempt {
            let placing = Task { try await body() }
            // Nobody says that a request waits; a refusal would be there by now.
            try await Task.sleep(for: .milliseconds(700))
            let answer = try await suite.send(
                "POST", role, "/transactions/rollback", json: #"{"xids":["\#(xid)"]}"#, authorized: true)
            #expect(answer.status == 200, "\(answer.text)")
            return try await placing.value
        }

        @Test(
            "when the holder commits, the refusal follows, and a message's is remembered; without one it comes at once")
        func committed() async throws {
            try await Suite.withTransactions(settings: Self.settings) { suite in
                try await suite.putProduct("rare", price: 10, available: 5)
                #expect(try await suite.deduct(5, of: "rare", mode: "at", xid: "holder").status == 200)
                var draft = OrderDraft("alice", ["rare": 3])
                let order = try await suite.place(draft)
                draft.mode = .all("at")
                let placing = Task { [draft] in try await suite.place(draft) }
                try await Task.sleep(for: .milliseconds(700))
                try await suite.end("holder", "commit")
                let refused = try await placing.value
                #expect(refused.status == 409 && !refused.isLocked, "\(refused.outcome)")
                try await suite.awaitSettled()
                #expect(try await suite.number(.order, "SELECT count(*) FROM orders WHERE status = 'cancelled'") == 1)
                #expect(order.status == 201)
                let again = try await suite.place(draft)
                #expect(again.status == 409 && again.latency < .seconds(4), "\(again.outcome)")
            }
        }

        @Test("an operator sees commits of what no branch knows, and rows that nobody will free")
        func metrics() async throws {
            try await Suite.withTransactions(settings: Self.settings) { suite in
                try await suite.end("01990000-0000-7000-8000-00000000lost", "rollback")
                #expect(try await suite.metric(.stock, "settle_commits_unknown_total") == 0)
                try await suite.end("nobody-knows-it", "commit")
                #expect(try await suite.metric(.stock, "settle_commits_unknown_total") == 1)
                #expect(try await suite.metric(.stock, "settle_rows_held_unknown") == 0)
                let stock = try #require(suite.databases[.stock])
                try await stock.transaction { transaction in
                    transaction.add("SELECT set_config('settle.xid', 'lost', true)")
                    transaction.add("UPDATE product SET title = 'lost' WHERE sku IN ('tea', 'cup')")
                }
                try await eventually("the rows are counted") {
                    try await suite.metric(.stock, "settle_rows_held_unknown") == 2
                }
            }
        }
    }
}
