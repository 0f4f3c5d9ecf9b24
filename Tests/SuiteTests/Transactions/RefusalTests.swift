import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions: refusals", .timeLimit(.minutes(2)))
    struct RefusalTests {
        /// One participant can, the other cannot.
        private static let cases: [(name: String, draft: OrderDraft, problem: String)] = {
            var poor = OrderDraft("alice", ["tea": 2, "cup": 1])
            poor.spendPoints = 1_001  // of 1,000
            var short = OrderDraft("alice", ["tea": 2, "rare": 2])
            short.spendPoints = 10
            var unknown = OrderDraft("alice", ["tea": 2, "nothing": 1])
            unknown.spendPoints = 10
            return [
                ("stock can, user-points cannot", poor, "/insufficient-points"),
                ("user-points can, stock cannot: one of several items is short", short, "/insufficient-stock"),
                ("user-points can, stock does not know a product", unknown, "/not-found"),
            ]
        }()

        private func expectUntouched(_ suite: Suite, _ comment: Comment) async throws {
            for role in [Role.stock, .userPoints] { #expect(try await suite.undecided(role).isEmpty, comment) }
            #expect(try await suite.available("tea") == Seed.available, comment)
            #expect(try await suite.available("cup") == Seed.available, comment)
            #expect(try await suite.available("rare") == 1, comment)
            #expect(try await suite.points("alice") == Seed.points, comment)
        }

        @Test("one participant refuses: when the client hears of it, everything is as it was")
        func refused() async throws {
            try await Suite.withTransactions { suite in
                try await suite.putProduct("rare", price: 700, available: 1)
                for mode in OrderDraft.Mode.some + OrderDraft.Mode.trees {
                    for (name, draft, problem) in Self.cases {
                        var draft = draft
                        draft.mode = mode
                        let attempt = try await suite.place(draft)
                        guard case .success(let answer) = attempt.outcome else {
                            Issue.record("\(mode.name): \(name): \(attempt.outcome)")
                            continue
                        }
                        let comment: Comment = "\(mode.name): \(name): \(answer.text)"
                        #expect(answer.status == (problem == "/not-found" ? 404 : 409), comment)
                        #expect(answer.text.contains(problem + "\""), comment)
                        try await expectUntouched(suite, comment)
                    }
                }
                try await suite.expectAgreement([], available: ["rare": 1])
            }
        }

        @Test("an exception in order after the deduction: the response says so, and everything is as it was")
        func exception() async throws {
            try await Suite.withTransactions { suite in
                try await suite.putProduct("rare", price: 700, available: 1)
                _ = try await suite.restart(.order, fault: "order.branchesDone=throw")
                for mode in OrderDraft.Mode.some + OrderDraft.Mode.trees {
                    var draft = OrderDraft("alice", ["tea": 2, "rare": 1])
                    draft.spendPoints = 100
                    draft.mode = mode
                    let attempt = try await suite.place(draft)
                    guard case .success(let answer) = attempt.outcome else {
                        Issue.record("\(mode.name): \(attempt.outcome)")
                        continue
                    }
                    #expect(answer.status == 500)
                    #expect(answer.text.contains("what was done is undone"), "\(answer.text)")
                    try await expectUntouched(suite, "\(mode.name)")
                }
                try await suite.expectAgreement([], available: ["rare": 1])
            }
        }
    }
}
