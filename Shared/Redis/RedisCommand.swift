import SettleCore

/// One command: its name and its arguments, sent as they are (binary safe).
public struct RedisCommand: Sendable, Equatable {
    /// The name first.
    public let arguments: [String]

    /// Any command, such as `["INCRBY", "n", "2"]`. Commands that change how a connection replies (SUBSCRIBE,
    /// MONITOR, CLIENT REPLY) do not fit a client that pairs each command with one reply.
    public init(_ arguments: [String]) { self.arguments = arguments }

    /// What it takes to send it.
    var byteCount: Int { arguments.reduce(16) { $0 + 16 + $1.utf8.count } }

    /// `PING`, answered by the status `PONG`.
    public static let ping = RedisCommand(["PING"])

    /// `GET`: bytes, or null without such a key.
    public static func get(_ key: String) -> RedisCommand { RedisCommand(["GET", key]) }

    /// `DEL`: the number of keys removed.
    public static func delete(_ key: String) -> RedisCommand { RedisCommand(["DEL", key]) }

    /// `SET … PX`: the status `OK`, or null when `onlyIfAbsent` and the key exists. Expiry is in whole
    /// milliseconds, rounded up, at least one.
    public static func set(
        _ key: String, _ value: String, onlyIfAbsent: Bool, expiresAfter: Duration
    ) -> RedisCommand {
        let milliseconds = max(1, expiresAfter.milliseconds)
        return RedisCommand(["SET", key, value] + (onlyIfAbsent ? ["NX"] : []) + ["PX", String(milliseconds)])
    }
}
