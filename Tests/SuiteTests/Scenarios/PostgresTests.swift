import SettleTestSupport
import Testing

extension Proof {
    @Suite("PostgreSQL", .timeLimit(.minutes(4)))
    struct PostgresTests {
        /// What a client may see of a database that comes and goes: an order, or "try again later", and soon.
        private func expectPatient(_ attempts: [Attempt]) {
            #expect(attempts.allSatisfy { $0.status == 201 || $0.status == 503 }, "\(attempts.summary)")
            let impolite = attempts.filter {
                guard case .success(let answer) = $0.outcome, answer.status == 503 else { return false }
                return answer.headers["retry-after"] == nil
                    || answer.headers["content-type"]?.hasPrefix("application/problem+json") != true
            }
            #expect(impolite.isEmpty, "\(impolite.count) × 503 without Retry-After")
            #expect(attempts.allSatisfy { $0.latency < .seconds(12) })
        }

        @Test("killed and started again under load: clients see 201 or 503; each 201 settles, nothing is doubled")
        func killed() async throws {
            try await Suite.with { suite in
                let load = suite.load(clients: 8, pause: .milliseconds(10))
                for _ in 0..<2 {
                    try await grow(load, by: 150)
                    try await Servers.kill(.postgres)
                    for role in Role.allCases { try await suite.awaitReadiness(role, 503, "postgres", "down") }
                    try await Servers.start(.postgres)
                    for role in Role.allCases { try await suite.awaitReadiness(role, 200, "postgres", "up") }
                }
                try await grow(load, by: 100)
                let attempts = await load.stop()
                print("suite: PostgreSQL killed twice: \(attempts.summary)")
                expectPatient(attempts)
                #expect(attempts.count(status: 503) > 0)
                try await suite.expectAgreement(attempts)
            }
        }

        @Test("a locked table: orders are refused, readiness says so within seconds, and again when it is over")
        func locked() async throws {
            try await Suite.with { suite in
                async let holder = suite.rows(
                    .order, "DO $$ BEGIN LOCK TABLE task IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep(8); END $$")
                let load = suite.load(clients: 4, pause: .milliseconds(50))
                try await suite.awaitReadiness(.order, 503, "writes", "down", within: .seconds(6))
                _ = try await holder
                try await suite.awaitReadiness(.order, 200, "writes", "up")
                let attempts = await load.stop()
                expectPatient(attempts)
                try await suite.expectAgreement(attempts)
            }
        }

        @Test("one service's connections ended again and again under load", arguments: Role.allCases)
        func terminated(role: Role) async throws {
            try await Suite.with { suite in
                let load = suite.load(clients: 8, pause: .milliseconds(5))
                for _ in 0..<10 {
                    try await grow(load, by: 20)
                    try await suite.surroundings.terminateConnections(of: role)
                }
                try await grow(load, by: 50)
                let attempts = await load.stop()
                print("suite: \(role.rawValue)'s connections ended ten times: \(attempts.summary)")
                expectPatient(attempts)
                try await suite.expectAgreement(attempts)
            }
        }
    }
}
