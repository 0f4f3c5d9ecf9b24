import Foundation
import SettleTestSupport
import Testing

extension Proof {
    /// Order calls stock, and stock calls user-points: the rows of the crash table that only a tree has.
    @Suite("Global transactions: trees", .timeLimit(.minutes(6)))
    struct TreeTests {
        struct Row: Sendable {
            let role: Role
            let point: String
            let isCommitted: Bool
            /// Order gives up on purpose once all parts are done.
            var orderThrows = false
            /// Where something is undecided until the process is started again, or asks.
            let leaves: Set<Role>
        }

        static let rows = [
            Row(role: .stock, point: "branch.beforeChildren", isCommitted: false, leaves: [.stock]),
            Row(role: .stock, point: "branch.afterChildren", isCommitted: false, leaves: [.stock, .userPoints]),
            Row(role: .userPoints, point: "branch.beforeCommit", isCommitted: false, leaves: []),
            Row(role: .userPoints, point: "branch.committed", isCommitted: false, leaves: [.userPoints]),
            Row(role: .userPoints, point: "branch.duringCommit", isCommitted: true, leaves: [.userPoints]),
            Row(role: .userPoints, point: "branch.ended.commit", isCommitted: true, leaves: []),
            Row(
                role: .userPoints, point: "branch.duringRollback", isCommitted: false, orderThrows: true,
                leaves: [.userPoints]),
            Row(role: .userPoints, point: "branch.ended.rollback", isCommitted: false, orderThrows: true, leaves: []),
        ]

        private static func draft(_ mode: OrderDraft.Mode) -> OrderDraft {
            var draft = OrderDraft("carol", ["tea": 3, "cup": 1])
            draft.spendPoints = 60
            draft.mode = mode
            return draft
        }

        @Test(
            "a process dies at each point of the way down, and every part follows the decision",
            arguments: OrderDraft.Mode.trees)
        func crashes(mode: OrderDraft.Mode) async throws {
            try await Suite.withTransactions { suite in
                var attempts: [Attempt] = []
                for row in Self.rows { attempts += try await crash(suite, row, mode) }
                try await suite.expectAgreement(attempts)
            }
        }

        private func crash(_ suite: Suite, _ row: Row, _ mode: OrderDraft.Mode) async throws -> [Attempt] {
            let comment: Comment = "\(mode.name), \(row.role.rawValue) at \(row.point)"
            if row.orderThrows { _ = try await suite.restart(.order, fault: "order.branchesDone=throw@1") }
            let doomed = try await suite.restart(row.role, fault: "\(row.point)=kill")
            // The points that the last order earned have come.
            try await suite.awaitSettled()
            let before = try await (tea: suite.available("tea"), points: suite.points("carol"))
            let first = try await suite.place(Self.draft(mode))
            #expect(try await doomed.awaitExit() == .signal(9), comment)
            #expect(try await suite.orderExists(key: first.key) == row.isCommitted, comment)
            #expect(
                first.status == (row.isCommitted ? 201 : row.orderThrows ? 500 : 503), "\(comment): \(first.outcome)")
            // What is prepared is over before the rest of a commit is.
            let isPrepared = mode.points == "xa" && row.point.hasPrefix("branch.during")
            #expect(
                try await suite.undecided(row.role).isEmpty == (isPrepared || !row.leaves.contains(row.role)), comment)
            try await suite.restart(row.role)
            try await suite.awaitEnded()
            #expect(before.tea - (try await suite.available("tea")) == (row.isCommitted ? 3 : 0), comment)
            if !row.isCommitted { #expect(try await suite.points("carol") == before.points, comment) }

            let second = try await suite.place(Self.draft(mode), key: first.key)
            #expect(second.status == (row.isCommitted ? 200 : 201), "\(comment): \(second.outcome)")
            try await suite.awaitEnded()
            #expect(before.tea - (try await suite.available("tea")) == 3, comment)
            return [first, second]
        }

        @Test("user-points is away: 503 at once, and stock has given back what it took")
        func away() async throws {
            try await Suite.withTransactions { suite in
                try await suite.process(.userPoints).crash()
                for mode in OrderDraft.Mode.trees {
                    let attempt = try await suite.place(Self.draft(mode))
                    #expect(attempt.status == 503, "\(mode.name): \(attempt.outcome)")
                    #expect(try await suite.undecided(.stock).isEmpty, "\(mode.name)")
                    #expect(try await suite.available("tea") == Seed.available, "\(mode.name)")
                }
                try await suite.restart(.userPoints)
                try await suite.awaitEnded()
                try await suite.expectAgreement([])
            }
        }

        @Test(
            "user-points is slow: the order waits; too slow: 503 while there is time to say so, and all of it is undone"
        )
        func slow() async throws {
            try await Suite.withTransactions { suite in
                var attempts: [Attempt] = []
                for mode in OrderDraft.Mode.trees {
                    for (pause, status) in [(Duration.seconds(2), 201), (.seconds(9), 503)] {
                        let points = try suite.process(.userPoints)
                        points.signal(SIGSTOP)
                        async let placing = suite.place(Self.draft(mode))
                        try await Task.sleep(for: pause)
                        points.signal(SIGCONT)
                        let attempt = try await placing
                        attempts.append(attempt)
                        #expect(attempt.status == status, "\(mode.name), \(pause): \(attempt.outcome)")
                        #expect(attempt.latency < .seconds(9), "\(mode.name), \(pause)")
                        try await suite.awaitEnded(within: .seconds(15))
                    }
                }
                #expect(try await suite.available("tea") == Seed.available - 3 * OrderDraft.Mode.trees.count)
                try await suite.expectAgreement(attempts)
            }
        }

        @Test(
            "order dies while stock waits for user-points: both ask, and undo their parts",
            arguments: OrderDraft.Mode.trees)
        func orderDies(mode: OrderDraft.Mode) async throws {
            try await Suite.withTransactions { suite in
                let points = try suite.process(.userPoints)
                points.signal(SIGSTOP)
                async let placing = suite.place(Self.draft(mode))
                try await eventually("stock has done its part") { try await !suite.undecided(.stock).isEmpty }
                try await suite.process(.order).crash()
                points.signal(SIGCONT)
                let attempt = try await placing
                #expect(attempt.status == nil)
                try await eventually("user-points has, too") { try await !suite.undecided(.userPoints).isEmpty }
                try await suite.restart(.order)
                try await suite.awaitEnded()
                #expect(try await suite.available("tea") == Seed.available)
                #expect(try await suite.points("carol") == Seed.points)
            }
        }

        @Test("the mode is answered as it was given, and the story shows the way down")
        func story() async throws {
            try await Suite.withTransactions { suite in
                let answer = try await suite.send(
                    "POST", .order, "/orders",
                    json:
                        #"{"userName":"carol","items":[{"sku":"tea","quantity":1}],"spendPoints":20,"mode":{"stock":"at","points":"at","pointsVia":"stock"}}"#
                )
                #expect(answer.status == 201)
                struct Placed: Decodable {
                    let id: String
                    let mode: [String: String]
                }
                let placed = try answer.decode(Placed.self)
                #expect(placed.mode == ["stock": "at", "points": "at", "pointsVia": "stock"])
                try await suite.awaitEnded()
                struct Story: Decodable {
                    struct Event: Decodable {
                        let service: String
                        let what: String
                        let detail: String
                    }
                    let order: Placed
                    let events: [Event]
                }
                let story = try await suite.send("GET", .order, "/orders/\(placed.id)/story", authorized: true)
                    .decode(Story.self)
                #expect(story.order.mode == placed.mode)
                let spent = try #require(story.events.first { $0.service == "user-points" && $0.what == "branch" })
                #expect(spent.detail == "spend, mode at, branch 1.1")
                for (mode, status) in [
                    (#"{"stock":"at","points":"tcc","pointsVia":"order"}"#, 201),
                    (#"{"stock":"at","points":"tcc","pointsVia":"nobody"}"#, 422),
                    (#"{"stock":"at","points":"tcc","pointsVia":1}"#, 422),
                ] {
                    let answer = try await suite.send(
                        "POST", .order, "/orders",
                        json: #"{"userName":"carol","items":[{"sku":"tea","quantity":1}],"mode":\#(mode)}"#)
                    #expect(answer.status == status, "\(mode): \(answer.text)")
                }
            }
        }
    }
}
