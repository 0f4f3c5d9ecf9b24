import SettleRedis
import SettleTestSupport
import Testing

extension Proof {
    /// That the users' rights suffice is what all the other tests show: their services use them.
    @Suite("Users of Redis", .timeLimit(.minutes(2)))
    struct RedisAccountTests {
        private static let allowed: [(Role, [String])] = [
            (.stock, ["SET", "settle:cg_buying_deductstock:1:a", "x", "NX", "PX", "1000"]),
            (.stock, ["GET", "settle:cg_buying_restock:1:a"]),
            (.userPoints, ["SET", "settle:cg_buying_refundpoint:1:a", "x", "PX", "1000"]), (.order, ["PING"]),
            (.stock, ["EVAL", "return redis.call('HSET', KEYS[1], 'a', '1')", "1", "flash:test"]),
            (.stock, ["DEL", "flash:test"]), (.stock, ["INFO", "server"]),
        ]
        private static let forbidden: [(Role, [String])] = [
            (.stock, ["SET", "settle:cg_buying_addpoint:1:a", "decided"]),
            (.userPoints, ["GET", "settle:cg_buying_deductstock:1:a"]),
            (.order, ["SET", "settle:cg_buying_addpoint:1:a", "decided"]), (.order, ["SET", "mine", "x"]),
            (.stock, ["FLUSHALL"]), (.userPoints, ["DEL", "settle:cg_buying_addpoint:1:a"]), (.stock, ["KEYS", "*"]),
            (.userPoints, ["CONFIG", "GET", "requirepass"]), (.order, ["ACL", "LIST"]),
            (.stock, ["SUBSCRIBE", "news"]), (.userPoints, ["EVAL", "return 1", "0"]),
            (.stock, ["EVAL", "return redis.call('SET', 'settle:cg_buying_addpoint:1:a', 'x')", "0"]),
            (.stock, ["EVAL", "return redis.call('FLUSHALL')", "0"]), (.order, ["HGET", "flash:stock", "tea"]),
        ]

        @Test("a service may mark its own tasks, stock may count flash products, and nobody may do anything else")
        func rights() async throws {
            let testbed = try #require(Testbed.current)
            try await Servers.start(.redis)
            for (role, command) in Self.allowed {
                let reply = try await reply(testbed, role, command)
                #expect(reply.isRefused == false, "\(role.rawValue) \(command): \(reply)")
            }
            for (role, command) in Self.forbidden {
                let reply = try await reply(testbed, role, command)
                #expect(reply.isRefused, "\(role.rawValue) \(command): \(reply)")
            }
        }

        /// On a connection of its own: a refusal ends it.
        private func reply(_ testbed: Testbed, _ role: Role, _ command: [String]) async throws -> RedisReply {
            let url = try #require(testbed.redisURLs[role])
            let redis = RedisClient(try RedisConfiguration(url: url), logger: quiet)
            var reply = RedisReply.null
            try await serving([redis]) {
                try await eventually("Redis takes \(role.rawValue)") { redis.isUp }
                reply = try #require(try await redis.send([RedisCommand(command)]).first)
            }
            return reply
        }
    }
}

extension RedisReply {
    fileprivate var isRefused: Bool {
        // In a script it says which of its commands.
        if case .error(let text) = self { text.hasPrefix("NOPERM") || text.contains("script") } else { false }
    }
}
