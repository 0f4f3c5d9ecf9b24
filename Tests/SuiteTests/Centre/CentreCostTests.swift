import SettleTestSupport
import Testing

extension Proof {
    /// What docs/message-centre.md says that each of the two costs. It prints, and only holds that both do their work.
    @Suite("Mode centre: what it costs beside the outbox", .timeLimit(.minutes(5)))
    struct CentreCostTests {
        private static let orders = 200

        @Test(
            "commits, requests and time for each order", arguments: [OrderDraft.Mode.message, .centre], [1, 16])
        func cost(mode: OrderDraft.Mode, clients: Int) async throws {
            // Nothing looks for what is due meanwhile.
            let calm = ["TASK_SCAN_INTERVAL": "60s", "TASK_LEASE": "60s", "MESSAGE_CHECK_AFTER": "60s"]
            try await Suite.withCentre(settings: calm) { suite in
                try await suite.stopAll()
                let before = try await commits(suite)
                for role in Role.everyone { try suite.start(role) }
                for role in Role.everyone { try await suite.awaitReady(role) }
                let begin = ContinuousClock.now
                let attempts = await suite.load(clients: clients, limit: Self.orders) { number in
                    var draft = OrderDraft.varied(number)
                    draft.mode = mode
                    return draft
                }.finished()
                #expect(attempts.count(status: 201) == Self.orders)
                try await suite.awaitSettled()
                let took = (ContinuousClock.now - begin) / .seconds(1)
                let latencies = attempts.map { $0.latency / .milliseconds(1) }.sorted()
                let requests = try await suite.metric(.messageCentre, "http_requests_total")
                let told = try await suite.metric(.order, "http_requests_total")
                try await suite.stopAll()
                let after = try await commits(suite)
                let each = Role.everyone.map { role in
                    "\(role.rawValue) \(((after[role] ?? 0) - (before[role] ?? 0)) / Double(Self.orders))"
                }
                print(
                    "suite: cost: \(mode.name), \(clients) clients: commits of each order: \(each.joined(separator: ", "));",
                    "requests: centre \(requests / Double(Self.orders)), order \(told / Double(Self.orders));",
                    "POST /orders median \(latencies[latencies.count / 2]) ms; all settled after \(took) s")
            }
        }

        private func commits(_ suite: Suite) async throws -> [Role: Double] {
            var commits: [Role: Double] = [:]
            for role in Role.everyone { commits[role] = Double(try await suite.counted("xact_commit", at: role)) }
            return commits
        }
    }
}
