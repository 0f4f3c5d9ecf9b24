import SettleTestSupport
import Testing

extension Proof {
    @Suite("Global transactions", .timeLimit(.minutes(4)))
    struct TransactionTests {
        /// Participants ask soon, and nobody waits long for a row.
        private static let settings = ["TRANSACTION_CHECK_AFTER": "500ms", "ROW_LOCK_TIMEOUT": "500ms"]

        private static let modes: [OrderDraft.Mode] = [
            .all("at"), .all("tcc"), .all("xa"), .all("saga"), .mixed(stock: "at", points: "tcc"),
            .mixed(stock: "saga", points: "xa"), .tree(stock: "at", points: "tcc"), .tree(stock: "tcc", points: "saga"),
            .message,
        ]

        /// Every mode in turn; some spend points, and those of "poor" never can: what stock did must be undone.
        @Sendable
        private static func order(_ number: Int) -> OrderDraft {
            var draft = OrderDraft.varied(number, in: modes, spending: number.isMultiple(of: 2) ? 20 : 0)
            if draft.mode == .message {
                draft.spendPoints = 0
                return draft
            }
            if number % 5 == 0 {
                draft.userName = "poor"
                draft.spendPoints = 100
            }
            return draft
        }

        private func with(_ body: (Suite) async throws -> Void) async throws {
            try await Suite.with(settings: Self.settings) { suite in
                let answer = try await suite.send(
                    "PUT", .userPoints, "/users/poor", json: #"{"points":0}"#, authorized: true)
                try #require(answer.status == 201)
                try await body(suite)
            }
        }

        /// Whatever was begun is over at all three, and the books agree.
        private func expectEnded(_ suite: Suite, _ attempts: [Attempt]) async throws {
            try await suite.awaitSettled()
            try await suite.awaitEnded(within: .seconds(30))
            let ledger = try await suite.expectAgreement(attempts, cancelled: 0, points: ["poor": 0])
            let decided = try await suite.number(
                .order, "SELECT count(*) FROM settle.global_transaction WHERE decision = 'commit'")
            #expect(decided == ledger.orders.count { $0.mode != "message" })
        }

        @Test("every mode, and mixtures of them, at the same few products and users: all or nothing, each time")
        func modes() async throws {
            try await with { suite in
                let attempts = await suite.load(clients: 8, limit: 700, draft: Self.order).finished()
                print("suite: every mode at once: \(attempts.summary)")
                #expect(attempts.allSatisfy { [201, 409, 503].contains($0.status) }, "\(attempts.summary)")
                let problems = Set(
                    attempts.compactMap { attempt -> String? in
                        guard case .success(let answer) = attempt.outcome, answer.status == 409 else { return nil }
                        return answer.text.contains("/insufficient-points") || answer.text.contains("/locked")
                            ? nil : answer.text
                    })
                #expect(problems.isEmpty)
                #expect(attempts.count(status: 201) > 300)
                try await expectEnded(suite, attempts)
            }
        }

        @Test(
            "a service that dies at a named point of a global transaction, and is started again: all or nothing",
            arguments: [
                (
                    Role.order,
                    ["order.branchesDone", "order.committed", "initiator.beforeCommitRequest", "initiator.confirmed"]
                ),
                (
                    .stock,
                    [
                        "branch.beforeCommit", "branch.committed", "branch.duringCommit", "branch.duringRollback",
                        "branch.beforeCommitPrepared", "branch.beforeRollbackPrepared", "branch.ended.commit",
                        "branch.ended.rollback",
                    ]
                ),
                (
                    .userPoints,
                    ["branch.beforeCommit", "branch.committed", "branch.duringCommit", "branch.ended.commit"]
                ),
            ])
        func namedPoint(role: Role, points: [String]) async throws {
            try await with { suite in
                let load = suite.load(clients: 6, pause: .milliseconds(10), draft: Self.order)
                for point in points {
                    try await suite.stop(try suite.process(role))
                    let doomed = try suite.start(role, settings: ["SETTLE_FAULTS": "\(point)=kill@2"])
                    let exit = try await doomed.awaitExit(within: .seconds(30))
                    #expect(exit == .signal(9), "\(point)")
                    try await suite.restart(role)
                    try await grow(load, by: 15)
                }
                let attempts = await load.stop()
                print("suite: \(role.rawValue) crashed \(points.count) times: \(attempts.summary)")
                try await expectEnded(suite, attempts)
            }
        }
    }
}
