import SettleCore
import Foundation

/// Where Redis is, and how long to wait for it.
public struct RedisConfiguration: Sendable, Equatable {
    /// A name or an address, without the brackets of an IPv6 address.
    public let host: String
    /// The TCP port; 6379 when the URL has none.
    public let port: Int
    /// The user of the ACL system (Redis 6); `nil` means the default user.
    public let user: String?
    /// `nil`: no AUTH is sent.
    public let password: String?
    /// The number given to SELECT; 0 sends none.
    public let database: Int

    /// How long one attempt to connect may take.
    public var connectTimeout: Duration = .seconds(1)
    /// How long Redis may stay silent while an answer is due.
    public var commandTimeout: Duration = .seconds(1)
    /// How long a connection may be idle before a PING looks whether Redis is still there.
    public var idleCheck: Duration = .seconds(2)
    /// How many commands may wait for the connection; beyond it ``RedisError/overloaded`` is thrown.
    public var maxWaiting = 65536
    /// How many bytes of commands may wait for the connection; beyond it ``RedisError/overloaded`` is thrown.
    public var maxWaitingBytes = 16 * 1024 * 1024
    /// How many bytes the replies may have that are read in one go, for one caller or many; more end the connection.
    public var maxReplyBytes = 16 * 1024 * 1024
    /// Written now and then to find out whether Redis takes writes; expires by itself. A user with limited rights needs
    /// `SET` for it.
    public var probeKey = "settle:probe"
    /// The label `name` of what the client counts; two clients of one process want two names.
    public var name = "settle"

    /// Reads `redis://[user][:password]@host[:port][/database]`, percent-encoded where needed.
    public init(url: String) throws(RedisConfigurationError) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased() else {
            throw RedisConfigurationError("not a URL; redis://[user][:password]@host[:port][/database] is expected")
        }
        guard PercentEncoding.isValid(url) else {
            throw RedisConfigurationError("a percent sign is not followed by two digits")
        }
        switch scheme {
        case "redis": break
        case "rediss":
            throw RedisConfigurationError("rediss: needs TLS, which the hiredis library here does not have; use redis:")
        default: throw RedisConfigurationError("the scheme must be redis:")
        }
        guard let host = parts.host.map(Self.withoutBrackets), !host.isEmpty else {
            throw RedisConfigurationError("the host is missing")
        }
        let port = parts.port ?? 6379
        guard (1...65535).contains(port) else { throw RedisConfigurationError("the port must be 1 to 65535") }
        guard let database = Self.database(path: parts.path) else {
            throw RedisConfigurationError("the path must be a database number, such as /0")
        }
        guard parts.query == nil, parts.fragment == nil else {
            throw RedisConfigurationError("nothing may follow the database number")
        }
        let user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        let password = parts.password.flatMap { $0.isEmpty ? nil : $0 }
        guard user == nil || password != nil else {
            throw RedisConfigurationError("a user needs a password; for a password alone write redis://:password@host")
        }
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database
    }

    private static func withoutBrackets(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    private static func database(path: String) -> Int? {
        let text = path.drop { $0 == "/" }
        guard path.utf8.count - text.utf8.count <= 1 else { return nil }
        if text.isEmpty { return 0 }
        guard let number = Int(text), number >= 0 else { return nil }
        return number
    }
}

/// A URL that cannot be used. Its text never holds the URL, which may hold a password.
public struct RedisConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One line for the operator.
    public let description: String

    init(_ description: String) { self.description = description }
}
