import SettleRedis

/// Redis, as far as flash products are counted there.
struct FlashStock: Sendable {
    /// The count in Redis is not the one that the book means.
    struct Lost: Error, CustomStringConvertible {
        let why: String
        var description: String { "the count of flash products in Redis is not to be used: \(why)" }
    }

    /// What a script said.
    struct Word: Sendable {
        let sequence: Int64
        let word: String
        let about: String?
    }

    let redis: RedisClient

    /// The server process that answers; its number changes with each start.
    func runID() async throws -> String {
        let replies = try await redis.send([Self.info])
        guard let id = Self.runID(replies[0]) else { throw Lost(why: "INFO says no run_id") }
        return id
    }

    /// Runs scripts in one round trip, and makes sure that it was the server process `runID` that ran them.
    ///
    /// - Parameter calls: each a script with its keys and arguments.
    func run(_ calls: [RedisScript.Call], on runID: String) async throws -> [Word] {
        var replies = try await redis.send([Self.info] + calls.map(\.command))
        guard Self.runID(replies.removeFirst()) == runID else { throw Lost(why: "Redis was started anew") }
        // Known to Redis from then on; on the same connection, or it fails.
        let unknown = replies.indices.filter { replies[$0].isUnknownScript }
        if !unknown.isEmpty {
            var again = try await redis.send([Self.info] + unknown.map { calls[$0].fullCommand })
            guard Self.runID(again.removeFirst()) == runID else { throw Lost(why: "Redis was started anew") }
            for (index, reply) in zip(unknown, again) { replies[index] = reply }
        }
        return try replies.map { reply in
            guard case .array(let parts) = reply, parts.count >= 2, case .integer(let sequence) = parts[0],
                let word = parts[1].text
            else { throw Lost(why: "a script answers \(reply)") }
            if word == "epoch" { throw Lost(why: "it has another epoch") }
            return Word(sequence: sequence, word: word, about: parts.count > 2 ? parts[2].text : nil)
        }
    }

    /// The branches for which something is kept.
    func kept() async throws -> [String] {
        guard case .array(let names) = try await redis.send([RedisCommand(["HKEYS", FlashScripts.kept])])[0] else {
            throw Lost(why: "what is kept cannot be listed")
        }
        return names.compactMap(\.text).filter { !$0.isEmpty && $0 != FlashScripts.unsure }
    }

    /// Nothing is taken any more until the next epoch.
    func close() async throws {
        if case .error(let text) = try await redis.send([FlashScripts.close])[0] { throw Lost(why: text) }
    }

    private static let info = RedisCommand(["INFO", "server"])

    private static func runID(_ reply: RedisReply) -> String? {
        reply.text?.split(whereSeparator: \.isNewline).first { $0.hasPrefix("run_id:") }.map { String($0.dropFirst(7)) }
    }
}
