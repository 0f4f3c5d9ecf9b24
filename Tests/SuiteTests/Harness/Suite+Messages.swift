import SettleRabbitMQ
import SettleRedis
import SettleTestSupport
import Testing

extension Suite {
    static let exchange = "ex_buying_addpointurse"
    static let deadLetterQueue = "cg_buying_dead"

    /// Publishes as a peer would; every message must have been taken.
    func publish(_ key: String, _ bodies: [String], messageID: String = "test") async throws {
        try await eventually("the broker answers") { self.publisher.isUp }
        let outcomes = await publisher.publish(
            bodies.map {
                OutboundMessage(exchange: Self.exchange, routingKey: key, messageID: messageID, body: Array($0.utf8))
            })
        try #require(outcomes.allSatisfy { $0 == .confirmed }, "\(outcomes)")
    }

    /// Redis forgets all that it knows of this suite.
    func flushRedis() async throws {
        try await eventually("Redis answers") { self.redis.isUp }
        _ = try await redis.send([RedisCommand(["FLUSHDB"])])
    }

    /// How many messages wait in each queue or are unacknowledged.
    func queueLengths() async throws -> [String: Int] {
        let lines = try await Servers.rabbitmqctl(
            "list_queues", "-p", surroundings.name, "name", "messages", "--silent", "--no-table-headers")
        return Dictionary(
            lines.split(separator: "\n").compactMap { line in
                let words = line.split(separator: "\t")
                return words.count == 2 ? (String(words[0]), Int(words[1]) ?? -1) : nil
            }, uniquingKeysWith: { first, _ in first })
    }

    func awaitQueue(_ queue: String, length: Int) async throws {
        try await eventually(
            "queue \(queue) has \(length) messages", every: .milliseconds(200),
            otherwise: { "\((try? await self.queueLengths()) ?? [:])" }
        ) {
            try await self.queueLengths()[queue] == length
        }
    }

    func deleteQueue(_ queue: String) async throws {
        try await Servers.rabbitmqctl("delete_queue", "-p", surroundings.name, queue)
    }
}
