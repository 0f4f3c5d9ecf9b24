import Testing

extension Proof {
    @Suite("Redis", .timeLimit(.minutes(3)))
    struct RedisTests {
        @Test("away under load, and back: services stay ready, nothing is lost or doubled")
        func away() async throws {
            try await Suite.with { suite in
                let load = suite.load(clients: 8, pause: .milliseconds(10))
                try await grow(load, by: 100)
                try await Servers.kill(.redis)
                for role in Role.allCases { try await suite.awaitReadiness(role, 200, "redis", "down") }
                try await grow(load, by: 200)
                try await Servers.start(.redis)
                for role in Role.allCases { try await suite.awaitReadiness(role, 200, "redis", "up") }
                try await grow(load, by: 100)
                let attempts = await load.stop()
                #expect(attempts.allSatisfy { $0.status == 201 }, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
            }
        }

        @Test("emptied again and again under load: nothing is doubled")
        func flushed() async throws {
            // Republished soon, so that copies abound.
            try await Suite.with(settings: ["TASK_LEASE": "100ms", "TASK_REPUBLISH_AFTER": "100ms"]) { suite in
                let load = suite.load(clients: 8)
                for _ in 0..<20 {
                    try await grow(load, by: 25)
                    try await suite.flushRedis()
                }
                let attempts = await load.stop()
                #expect(attempts.allSatisfy { $0.status == 201 }, "\(attempts.summary)")
                try await suite.expectAgreement(attempts)
            }
        }
    }
}
