import SettleTestSupport
import Testing

extension Proof {
    @Suite("Start and stop", .timeLimit(.minutes(4)))
    struct LifecycleTests {
        @Test(
            "SIGTERM under load: out within ten seconds, what was taken is answered, nothing is lost",
            arguments: Role.allCases)
        func terminated(role: Role) async throws {
            try await Suite.with { suite in
                let load = suite.load(clients: 16)
                for _ in 0..<3 {
                    try await grow(load, by: 100)
                    try await suite.stop(try suite.process(role))
                    try await suite.restart(role)
                }
                try await grow(load, by: 50)
                let attempts = await load.stop()
                print("suite: \(role.rawValue) stopped three times: \(attempts.summary)")
                let ledger = try await suite.expectAgreement(attempts)
                let existing = Set(ledger.orders.compactMap(\.key))
                for attempt in attempts {
                    switch attempt.outcome {
                    case .success(let answer):
                        #expect([201, 503].contains(answer.status), "\(answer.text)")
                    case .failure(.notConnected): break
                    case .failure(.closed(answerBytes: 0)):
                        // The connection was idle and closed just as the request left: it was never taken.
                        #expect(!existing.contains(attempt.key), "taken, done, and never answered")
                    case .failure(let failure): Issue.record("\(failure)")
                    }
                }
            }
        }

        @Test("with everything away at the start, services come up, say so, and get ready by themselves")
        func infrastructureAway() async throws {
            try await Suite.with(start: false) { suite in
                try await Servers.stop(.postgres, .rabbitmq, .redis)
                for role in Role.allCases { try suite.start(role) }
                for role in Role.allCases {
                    try await suite.awaitReadiness(role, 503, "postgres", "down")
                    try await suite.awaitReadiness(role, 503, "rabbitmq", "down")
                    try await suite.awaitReadiness(role, 503, "redis", "down")
                    #expect(try await suite.get(suite.port(role), "/health/live")?.status == 200)
                }
                let refused = await suite.load(clients: 1, limit: 3).finished()
                #expect(refused.count(status: 503) == 3, "\(refused.summary)")
                try await Servers.start(.postgres, .rabbitmq, .redis)
                for role in Role.allCases { try await suite.awaitReady(role) }
                try await suite.seed()
                let attempts = await suite.load(clients: 8, limit: 200).finished()
                #expect(attempts.count(status: 201) == 200, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
            }
        }

        @Test("idle services rest: under two per cent of a core each")
        func idle() async throws {
            // As an operator runs them: the scan every second.
            try await Suite.with(settings: ["TASK_SCAN_INTERVAL": "1s"]) { suite in
                let attempts = await suite.load(clients: 4, limit: 100).finished()
                try await suite.expectAgreement(attempts)
                try await Task.sleep(for: .seconds(1))
                let before = try Role.allCases.map { try suite.process($0).processorTime }
                let begin = ContinuousClock.now
                try await Task.sleep(for: .seconds(5))
                let wall = ContinuousClock.now - begin
                for (role, earlier) in zip(Role.allCases, before) {
                    let share = (try suite.process(role).processorTime - earlier) / wall
                    print("suite: \(role.rawValue) idles at \((share * 1000).rounded() / 10) % of a core")
                    #expect(share < 0.02, "\(role.rawValue)")
                }
            }
        }
    }
}
