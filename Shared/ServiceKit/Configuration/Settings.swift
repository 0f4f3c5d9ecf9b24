public import Logging

/// What every service needs to know, read once at start and passed down.
public struct Settings: Sendable {
    /// The address to listen on.
    public let httpHost: String
    /// The port to listen on.
    public let httpPort: Int
    /// This service's own PostgreSQL database, in any form that libpq takes.
    public let databaseURL: String
    /// RabbitMQ.
    public let amqpURL: String
    /// Redis.
    public let redisURL: String
    /// The order service, without a slash at the end; so are the other two.
    public let orderURL: String
    /// The stock service.
    public let stockURL: String
    /// The user-points service.
    public let pointsURL: String
    /// What internal requests must carry as their bearer token.
    public let token: String
    /// The least severe level that is logged.
    public let logLevel: Logger.Level
    /// What the HTTP side takes on, and how long it waits.
    public let httpLimits: HTTPLimits

    static let tokenName = "SETTLE_TOKEN"

    /// - Throws: ``SettingsError`` for the first setting that is missing or wrong.
    public init(_ reader: SettingsReader, defaultPort: Int) throws(SettingsError) {
        httpHost = try reader.string("http-host", default: "127.0.0.1")
        httpPort = try reader.integer("http-port", default: defaultPort, in: 0...65535)
        databaseURL = try reader.string("database-url", isSecret: true)
        amqpURL = try reader.string("amqp-url", isSecret: true)
        redisURL = try reader.string("redis-url", isSecret: true)
        orderURL = try reader.url("order-url", default: "http://127.0.0.1:8080", schemes: ["http", "https"])
        stockURL = try reader.url("stock-url", default: "http://127.0.0.1:8081", schemes: ["http", "https"])
        pointsURL = try reader.url("points-url", default: "http://127.0.0.1:8082", schemes: ["http", "https"])
        token = try Self.token(reader)
        logLevel = try Self.logLevel(reader)
        httpLimits = try HTTPLimits(reader)
    }

    private static func token(_ reader: SettingsReader) throws(SettingsError) -> String {
        let token = try reader.string("settle-token", isSecret: true)
        // What RFC 6750 allows in the header, so that a token that no client could send is refused at start.
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw SettingsError(tokenName, "printable ASCII without spaces is expected")
        }
        return token
    }

    private static func logLevel(_ reader: SettingsReader) throws(SettingsError) -> Logger.Level {
        let text = try reader.string("log-level", default: "info")
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw SettingsError("log-level", "one of \(levels) is expected")
        }
        return level
    }
}
