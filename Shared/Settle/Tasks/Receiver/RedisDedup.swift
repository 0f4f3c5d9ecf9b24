import Foundation
public import Logging
public import SettleRedis

/// `DedupCache` in Redis: `SET key value NX PX` for the whole batch in one pipeline.
public final class RedisDedup: DedupCache {
    /// Not a word of what was decided: nobody would believe it.
    static let decided = "decided"
    private static let inHand = "hand:"

    private let redis: RedisClient
    private let keyPrefix: String
    private let owner: String
    private let inHandFor: Duration
    private let decidedFor: Duration
    private let logger: Logger

    /// - Parameters:
    ///   - redis: the client; it may be away at any time.
    ///   - keyPrefix: what its keys begin with, before the queue's name: of its own for each of several applications
    ///     that have the same names of queues, on different brokers, and one Redis.
    ///   - inHandFor: how long a task counts as in hand, should its consumer die.
    ///   - decidedFor: how long it is remembered here that a task was decided; the database remembers it for ever.
    ///   - logger: gets a line for all that an operator should know.
    public init(
        redis: RedisClient, keyPrefix: String = "settle:", inHandFor: Duration = .seconds(30),
        decidedFor: Duration = .seconds(600), logger: Logger
    ) {
        self.redis = redis
        self.keyPrefix = keyPrefix
        self.inHandFor = inHandFor
        self.decidedFor = decidedFor
        self.logger = logger
        owner = "\(Self.inHand)\(UUID())"
    }

    func take(_ keys: [String]) async -> [DedupRecord] {
        guard !keys.isEmpty, redis.isUp else { return keys.map { _ in .unknown } }
        let commands = keys.flatMap { key in
            let name = keyPrefix + key
            return [.set(name, owner, onlyIfAbsent: true, expiresAfter: inHandFor), RedisCommand.get(name)]
        }
        do {
            let replies = try await redis.send(commands)
            return keys.indices.map { record(set: replies[2 * $0], get: replies[2 * $0 + 1]) }
        } catch {
            logger.warning("deduplication without Redis: the database decides", metadata: ["error": "\(error)"])
            return keys.map { _ in .unknown }
        }
    }

    func decided(_ keys: [String]) async {
        guard !keys.isEmpty, redis.isUp else { return }
        do {
            _ = try await redis.send(
                keys.map { .set(keyPrefix + $0, Self.decided, onlyIfAbsent: false, expiresAfter: decidedFor) })
        } catch {
            logger.warning("could not note in Redis what was decided", metadata: ["error": "\(error)"])
        }
    }

    private func record(set: RedisReply, get: RedisReply) -> DedupRecord {
        // "OK" means that nobody had it. Whatever else is not understood is left to the database.
        guard set == .null, let value = get.text else { return .unknown }
        return Self.record(value, owner: owner)
    }

    static func record(_ value: String, owner: String) -> DedupRecord {
        if value == owner { return .inHandHere }
        if value == decided { return .decided }
        return value.hasPrefix(inHand) ? .inHandElsewhere : .unknown
    }
}
