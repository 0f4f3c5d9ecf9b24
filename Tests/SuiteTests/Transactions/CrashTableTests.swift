import SettleTestSupport
import Testing

extension Proof {
    /// The crash table of docs/transactions.md, row by row, with one order each: what is left, and who mends it.
    @Suite("Global transactions: the crash table", .timeLimit(.minutes(6)))
    struct CrashTableTests {
        struct Row: Sendable {
            let role: Role
            let point: String
            /// Whether the global transaction is decided when it happens.
            let isCommitted: Bool
            /// Order gives up on purpose once both parts are done.
            var orderThrows = false
            /// Only where something is prepared.
            var xaOnly = false
            /// Whether something is undecided at stock until the process is started again.
            let leaves: Bool
        }

        static let rows = [
            Row(role: .order, point: "order.branchesDone", isCommitted: false, leaves: true),
            Row(role: .order, point: "order.beforeCommit", isCommitted: false, leaves: true),
            Row(role: .order, point: "order.committed", isCommitted: true, leaves: true),
            Row(role: .order, point: "initiator.beforeCommitRequest", isCommitted: true, leaves: true),
            Row(role: .order, point: "initiator.confirmed", isCommitted: true, leaves: false),
            Row(role: .stock, point: "branch.beforeCommit", isCommitted: false, leaves: false),
            Row(role: .stock, point: "branch.committed", isCommitted: false, leaves: true),
            Row(role: .stock, point: "branch.beforeCommitPrepared", isCommitted: true, xaOnly: true, leaves: true),
            Row(role: .stock, point: "branch.duringCommit", isCommitted: true, leaves: true),
            Row(role: .stock, point: "branch.ended.commit", isCommitted: true, leaves: false),
            Row(
                role: .stock, point: "branch.beforeRollbackPrepared", isCommitted: false, orderThrows: true,
                xaOnly: true, leaves: true),
            Row(role: .stock, point: "branch.duringRollback", isCommitted: false, orderThrows: true, leaves: true),
            Row(role: .stock, point: "branch.ended.rollback", isCommitted: false, orderThrows: true, leaves: false),
        ]

        @Test(
            "a process dies at each point: within the check-back time every part follows the decision, and the same key has the same order",
            arguments: OrderDraft.Mode.some + OrderDraft.Mode.trees)
        func crashes(mode: OrderDraft.Mode) async throws {
            try await Suite.withTransactions { suite in
                var attempts: [Attempt] = []
                for row in Self.rows where !row.xaOnly || mode.stock == "xa" {
                    attempts += try await crash(suite, row, mode)
                }
                try await suite.expectAgreement(attempts)
            }
        }

        private func crash(_ suite: Suite, _ row: Row, _ mode: OrderDraft.Mode) async throws -> [Attempt] {
            let comment: Comment = "\(mode.name), \(row.point)"
            if row.orderThrows { _ = try await suite.restart(.order, fault: "order.branchesDone=throw@1") }
            let doomed = try await suite.restart(row.role, fault: "\(row.point)=kill")
            let before = try await (tea: suite.available("tea"), points: suite.points("carol"))
            var draft = OrderDraft("carol", ["tea": 3, "cup": 1])
            draft.spendPoints = 60
            draft.mode = mode

            let first = try await suite.place(draft)
            #expect(try await doomed.awaitExit() == .signal(9), comment)
            #expect(try await suite.orderExists(key: first.key) == row.isCommitted, comment)
            // In mode xa, what was prepared is over before the rest is; nothing is left to be seen then.
            let leaves = row.leaves && !(mode.stock == "xa" && row.point.hasPrefix("branch.during"))
            #expect(try await suite.undecided(.stock).isEmpty != leaves, comment)
            switch first.status {
            case 201: #expect(row.isCommitted, comment)
            case nil: #expect(row.role == .order, comment)
            default: #expect(!row.isCommitted, "\(comment): \(first.outcome)")
            }

            try await suite.restart(row.role)
            try await suite.awaitEnded()
            #expect(try await suite.orderExists(key: first.key) == row.isCommitted, comment)
            let taken = before.tea - (try await suite.available("tea"))
            #expect(taken == (row.isCommitted ? 3 : 0), comment)
            if !row.isCommitted { #expect(try await suite.points("carol") == before.points, comment) }

            // The client asks again with the same key.
            let second = try await suite.place(draft, key: first.key)
            #expect(second.status == (row.isCommitted ? 200 : 201), "\(comment): \(second.outcome)")
            try await suite.awaitEnded()
            #expect(before.tea - (try await suite.available("tea")) == 3, comment)
            return [first, second]
        }
    }
}
