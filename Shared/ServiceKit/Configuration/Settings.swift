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
    /// What internal requests carry as their bearer token.
    public let token: Tokens
    /// The least severe level that is logged.
    public let logLevel: Logger.Level
    /// What the HTTP side takes on, and how long it waits.
    public let httpLimits: HTTPLimits

    private let peerURLs: [PeerService: BaseURL]

    /// - Parameter peers: services that this one may call.
    /// - Throws: ``SettingsError`` for the first setting that is missing or wrong.
    public init(
        _ reader: SettingsReader, defaultPort: Int, peers: [PeerService] = []
    ) throws(SettingsError) {
        httpHost = try reader.string("http-host", default: "127.0.0.1")
        httpPort = try reader.integer("http-port", default: defaultPort, in: 1...65535)
        databaseURL = try reader.string("database-url", isSecret: true)
        amqpURL = try reader.string("amqp-url", isSecret: true)
        redisURL = try reader.string("redis-url", isSecret: true)
        var urls: [PeerService: BaseURL] = [:]
        for peer in peers { urls[peer] = try reader.url(peer.urlSetting, default: peer.defaultURL) }
        peerURLs = urls
        token = try Tokens(reader, peers: urls)
        logLevel = try Self.logLevel(reader)
        httpLimits = try HTTPLimits(reader)
    }

    /// Where `peer` is.
    ///
    /// - Throws: ``SettingsError`` when it was not among the peers that were read.
    public func url(of peer: PeerService) throws(SettingsError) -> BaseURL {
        guard let url = peerURLs[peer] else { throw SettingsError(peer.urlSetting, "is not read by this service") }
        return url
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
