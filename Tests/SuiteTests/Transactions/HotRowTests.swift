import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: one row that all want", .timeLimit(.minutes(3)))
    struct HotRowTests {
        @Test("ten clients: no deadlock, no lost update; each order is placed or told that the row is locked")
        func tenClients() async throws {
            try await Suite.withTransactions { suite in
                for mode in ["at", "xa"] {
                    let before = try await suite.available("tea")
                    let attempts = await suite.load(clients: 10, limit: 200) { _ in
                        var draft = OrderDraft("bob", ["tea": 1, "cup": 1])
                        draft.mode = .all(mode)
                        return draft
                    }.finished()
                    let placed = attempts.count(status: 201)
                    print("suite: ten clients at one row, \(mode): \(attempts.summary)")
                    #expect(attempts.allSatisfy { $0.status == 201 || $0.isLocked }, "\(attempts.summary)")
                    #expect(placed >= 150, "\(attempts.summary)")
                    try await suite.awaitEnded()
                    #expect(before - (try await suite.available("tea")) == placed)
                }
                try await suite.awaitSettled()
                try await suite.stopAll()
                #expect(try await suite.counted("deadlocks", at: .stock) == 0)
            }
        }

        @Test("a hundred clients at one row leave room for those who want another", arguments: ["at", "xa"])
        func roomForOthers(mode: String) async throws {
            try await Suite.withTransactions { suite in
                func draft(_ sku: String) -> OrderDraft {
                    var draft = OrderDraft("bob", [:])
                    draft.items = [.init(sku: sku, quantity: 1)]
                    draft.mode = .all(mode)
                    return draft
                }
                let hot = suite.load(clients: 100, draft: { [hot = draft("tea")] _ in hot })
                try await grow(hot, by: 20)
                let others = await suite.load(clients: 1, limit: 40, draft: { [cool = draft("kettle")] _ in cool })
                    .finished()
                let attempts = await hot.stop()
                let latencies = others.map(\.latency).sorted()
                print(
                    "suite: a hundred clients at one row, \(mode): \(attempts.summary); at another row",
                    "\(others.summary), p50 \(latencies[20]), p95 \(latencies[38])")
                #expect(others.count(status: 201) == 40, "\(others.summary)")
                #expect(latencies[20] < .milliseconds(250))
                #expect(attempts.allSatisfy { $0.status == 201 || $0.status == 503 || $0.isLocked })
                try await suite.awaitEnded()
                try await suite.expectAgreement(attempts + others)
            }
        }

        @Test("while a row is held, plain writers are refused, psql included; when it is free they are not")
        func plainWriters() async throws {
            try await Suite.withTransactions(settings: ["TRANSACTION_CHECK_AFTER": "60s"]) { suite in
                for decision in ["commit", "rollback"] {
                    let xid = "plain-\(decision)"
                    #expect(try await suite.deduct(5, mode: "at", xid: xid).status == 200)
                    for write in [
                        "UPDATE product SET title = title WHERE sku = 'tea'", "DELETE FROM product WHERE sku = 'tea'",
                        "UPDATE product SET sku = 'tee' WHERE sku = 'tea'",
                    ] {
                        let error = await #expect(throws: PostgresError.self) { try await suite.rows(.stock, write) }
                        #expect(error?.sqlState == "ST001", "\(write): \(error.map(\.description) ?? "")")
                    }
                    let truncate = await #expect(throws: PostgresError.self) {
                        try await suite.rows(.stock, "TRUNCATE product")
                    }
                    #expect(truncate?.sqlState == "ST002")
                    // Others' rows are free, and the service says of this one what the contract says.
                    _ = try await suite.rows(.stock, "UPDATE product SET title = title WHERE sku = 'cup'")
                    let put = try await suite.send(
                        "PUT", .stock, "/products/tea", json: #"{"title":"Tea","unitPrice":120,"available":1}"#,
                        authorized: true)
                    #expect(put.isLocked, "\(put.text)")
                    try await suite.end(xid, decision)
                    _ = try await suite.rows(.stock, "UPDATE product SET title = 'Tea' WHERE sku = 'tea'")
                }
                _ = try await suite.rows(.stock, "DELETE FROM product WHERE sku = 'tea'")
            }
        }
    }
}
