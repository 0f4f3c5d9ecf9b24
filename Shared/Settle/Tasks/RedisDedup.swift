import Foundation
public import Logging
public import Redis

/// `DedupCache` in Redis: `SET key value NX PX` for the whole batch in one pipeline.
public final class RedisDedup: DedupCache {
    private static let done = "done"
    private static let rejected = "rejected:"

    private let redis: RedisClient
    private let owner: String
    private let inHandFor: Duration
    private let doneFor: Duration
    private let logger: Logger

    /// - Parameters:
    ///   - inHandFor: how long a task counts as in hand, should its consumer die.
    ///   - doneFor: how long a decision is remembered here; the database remembers it for ever.
    public init(
        redis: RedisClient, inHandFor: Duration = .seconds(30), doneFor: Duration = .seconds(600), logger: Logger
    ) {
        self.redis = redis
        self.inHandFor = inHandFor
        self.doneFor = doneFor
        self.logger = logger
        owner = "hand:\(UUID())"
    }

    func take(_ keys: [String]) async -> [DedupRecord] {
        guard !keys.isEmpty, redis.isUp else { return keys.map { _ in .unknown } }
        let commands = keys.flatMap { key in
            [.set(key, owner, onlyIfAbsent: true, expiresAfter: inHandFor), RedisCommand.get(key)]
        }
        do {
            let replies = try await redis.send(commands)
            return keys.indices.map { record(set: replies[2 * $0], get: replies[2 * $0 + 1]) }
        } catch {
            logger.warning("deduplication without Redis: the database decides", metadata: ["error": "\(error)"])
            return keys.map { _ in .unknown }
        }
    }

    func done(_ decided: [(key: String, answer: TaskAnswer)]) async {
        guard !decided.isEmpty, redis.isUp else { return }
        do {
            _ = try await redis.send(
                decided.map { key, answer in
                    .set(key, Self.value(of: answer), onlyIfAbsent: false, expiresAfter: doneFor)
                })
        } catch {
            logger.warning("could not note in Redis what was applied", metadata: ["error": "\(error)"])
        }
    }

    private func record(set: RedisReply, get: RedisReply) -> DedupRecord {
        // "OK" means that nobody had it. Whatever else is not understood is left to the database.
        guard set == .null, let value = get.text else { return .unknown }
        return Self.record(value, owner: owner)
    }

    static func value(of answer: TaskAnswer) -> String {
        switch answer {
        case .finished: done
        case .rejected(let reason): rejected + reason
        }
    }

    static func record(_ value: String, owner: String) -> DedupRecord {
        if value == owner { return .inHandHere }
        if value == done { return .done(.finished) }
        if value.hasPrefix(rejected) { return .done(.rejected(reason: String(value.dropFirst(rejected.count)))) }
        return value.hasPrefix("hand:") ? .inHandElsewhere : .unknown
    }
}
