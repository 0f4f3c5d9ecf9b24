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
    /// The order service.
    public let orderURL: BaseURL
    /// The stock service.
    public let stockURL: BaseURL
    /// The user-points service.
    public let pointsURL: BaseURL
    /// What internal requests carry as their bearer token.
    public let token: Tokens
    /// The least severe level that is logged.
    public let logLevel: Logger.Level
    /// What the HTTP side takes on, and how long it waits.
    public let httpLimits: HTTPLimits

    /// - Throws: ``SettingsError`` for the first setting that is missing or wrong.
    public init(_ reader: SettingsReader, defaultPort: Int) throws(SettingsError) {
        httpHost = try reader.string("http-host", default: "127.0.0.1")
        httpPort = try reader.integer("http-port", default: defaultPort, in: 1...65535)
        databaseURL = try reader.string("database-url", isSecret: true)
        amqpURL = try reader.string("amqp-url", isSecret: true)
        redisURL = try reader.string("redis-url", isSecret: true)
        orderURL = try reader.url("order-url", default: Self.loopback(8080))
        stockURL = try reader.url("stock-url", default: Self.loopback(8081))
        pointsURL = try reader.url("points-url", default: Self.loopback(8082))
        token = try Tokens(
            reader, peers: ["order-token": orderURL, "stock-token": stockURL, "points-token": pointsURL])
        logLevel = try Self.logLevel(reader)
        httpLimits = try HTTPLimits(reader)
    }

    private static func loopback(_ port: Int) -> BaseURL? { BaseURL("http://127.0.0.1:\(port)") }

    private static func logLevel(_ reader: SettingsReader) throws(SettingsError) -> Logger.Level {
        let text = try reader.string("log-level", default: "info")
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw SettingsError("log-level", "one of \(levels) is expected")
        }
        return level
    }
}
