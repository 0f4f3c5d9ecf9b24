import SettlePostgres
import SettleRedis
import SettleTestSupport
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

        @Test("somebody with its password marks tasks before they arrive, and again all the time: all orders settle")
        func forged() async throws {
            let marks = ["decided", "done", "hand:somebody", "rejected:forged"]
            // Long leases: what is dropped stays lost for as long as this test waits.
            try await Suite.with(settings: ["TASK_LEASE": "60s", "TASK_REPUBLISH_AFTER": "600s"]) { suite in
                // What waits for user-points can be seen at the broker, and the keys follow from it.
                try await suite.stop(try suite.process(.userPoints))
                let attempts = await suite.load(clients: 8, limit: 100).finished()
                try await suite.awaitQueue("cg_buying_addpoint", length: 100)
                let keys = try await suite.rows(.order, "SELECT id, request_body FROM task ORDER BY id").map { row in
                    try Self.key(id: row.decode(Int64.self, at: 0), body: row.decode(String.self, at: 1))
                }
                // For ever, not for a while.
                let forged = keys.enumerated().map { RedisCommand(["SET", $1, marks[$0 % marks.count]]) }
                _ = try await suite.redis.send(forged)
                let forgery = Task {
                    while !Task.isCancelled {
                        _ = try await suite.redis.send(forged)
                        try await Task.sleep(for: .milliseconds(1))
                    }
                }
                try await suite.restart(.userPoints)
                try await suite.awaitSettled(within: .seconds(30))
                forgery.cancel()
                let ledger = try await suite.expectAgreement(attempts)
                #expect(ledger.pointLog.count == 100)
            }
        }

        /// As the receiver makes it: FNV-1a of the request.
        private static func key(id: Int64, body: String) -> String {
            let hash = body.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            return "settle:cg_buying_addpoint:\(id):\(String(hash, radix: 16))"
        }
    }
}
