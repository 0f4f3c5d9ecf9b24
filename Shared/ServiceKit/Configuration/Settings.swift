public import Logging

/// What every service needs to know, read once at start and passed down.
public struct Settings: Sendable {
    /// Where it listens.
    var listenAddress: ListenAddress
    /// This service's own PostgreSQL database, in any form that libpq takes.
    public internal(set) var databaseURL = ""
    /// RabbitMQ.
    public internal(set) var amqpURL = ""
    /// Redis.
    public internal(set) var redisURL = ""
    /// The least severe level that is logged.
    public internal(set) var logLevel = Logger.Level.info
    /// How log lines look.
    var logFormat = LogFormat.text
    /// How its threads are scheduled beside those of others.
    var scheduling = Scheduling.batch
    /// What the HTTP side takes on, and how long it waits.
    public internal(set) var httpLimits = HTTPLimits()

    /// Where spans go.
    var traces = TraceSettings()

    private var ownToken = ""
    private var tokensAccepted: [String] = []
    private var peerURLs: [PeerService: BaseURL] = [:]
    private var peerTokens: [PeerService: String] = [:]

    /// - Parameters:
    ///   - reader: where they are looked up.
    ///   - defaultPort: where it listens when nothing is set.
    ///   - peers: services that this one may call.
    ///   - usesRedis: whether it needs to know where Redis is.
    ///   - usesServers: whether it needs to know where any server is.
    /// - Throws: ``SettingsError`` for the first setting that is missing or wrong.
    public init(
        _ reader: SettingsReader, defaultPort: Int, peers: [PeerService] = [], usesRedis: Bool = true,
        usesServers: Bool = true
    ) throws(SettingsError) {
        self = try Self.table(port: defaultPort, peers: peers, usesRedis: usesRedis, usesServers: usesServers)
            .read(reader)
    }

    private init(port: Int, peers: [PeerService]) {
        listenAddress = ListenAddress(port: port)
        for peer in peers { peerURLs[peer] = peer.defaultURL }
    }

    /// The address that it listens at.
    package var host: String { listenAddress.host }

    /// What internal requests carry as their bearer token.
    public var token: Tokens {
        var byURL: [BaseURL: String] = [:]
        for (peer, token) in peerTokens.sorted(by: { $0.key.name < $1.key.name }) {
            if let url = peerURLs[peer] { byURL[url] = token }
        }
        return Tokens(ownToken, accepted: tokensAccepted, byURL: byURL)
    }

    /// Where `peer` is.
    ///
    /// - Throws: ``SettingsError`` when it was not among the peers that were read.
    public func url(of peer: PeerService) throws(SettingsError) -> BaseURL {
        guard let url = peerURLs[peer] else { throw SettingsError(peer.urlSetting, "is not read by this service") }
        return url
    }

    /// - Parameter port: the service's own default.
    static func table(
        port: Int, peers: [PeerService], usesRedis: Bool = true, usesServers: Bool = true
    ) -> SettingsTable<Settings> {
        let listening = ListenAddress.rows.map { $0.lifted(to: \Settings.listenAddress) }
        let limits = HTTPLimits.rows.map { $0.lifted(to: \Settings.httpLimits) }
        let urls = peers.map { peer in
            SettingRow.url(peer.urlSetting, \Settings.peerURLs[peer], "Where \(peer.name) is, through any replica.")
        }
        let tokens = peers.map { peer in
            SettingRow(
                peer.tokenSetting, \Settings.peerTokens[peer],
                "What is sent to \(peer.name), where each pair of services has a token of its own.",
                form: Tokens.form, isEnvironmentOnly: true, defaultText: { $0 ?? "SETTLE_TOKEN" },
                parse: { Tokens.isToken($0) ? .some($0) : nil })
        }
        let servers = usesServers ? [database, broker] + (usesRedis ? [redis] : []) : []
        let traces = TraceSettings.rows.map { $0.lifted(to: \Settings.traces) }
        return SettingsTable(
            Settings(port: port, peers: peers),
            listening + servers + [logLevel, logFormat, scheduling] + urls + limits + ownTokens + tokens + traces)
    }

    private static let database = SettingRow<Settings>.text(
        "database-url", \.databaseURL, form: "a URL of PostgreSQL", "This service's own database.")
    private static let broker = SettingRow<Settings>.text(
        "amqp-url", \.amqpURL, form: "an amqp: or amqps: URL", "RabbitMQ.")
    private static let redis = SettingRow<Settings>.text("redis-url", \.redisURL, form: "a redis: URL", "Redis.")
    private static let logLevel = SettingRow<Settings>(
        "log-level", \.logLevel, "The least severe level that is logged.",
        form: "one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))",
        defaultText: { $0.rawValue }, parse: { Logger.Level(rawValue: $0.lowercased()) })

    private static let logFormat = SettingRow<Settings>.choice(
        "log-format", \.logFormat, LogFormat.allCases.map { ($0.rawValue, $0) },
        "How log lines look: for people, or one JSON object each.")

    private static let scheduling = SettingRow<Settings>.choice(
        "scheduling", \.scheduling, Scheduling.allCases.map { ($0.rawValue, $0) },
        "Whether threads that wake wait for a free processor, or interrupt others where the system would have it so.")

    private static let ownTokens: [SettingRow<Settings>] = [
        SettingRow(
            "settle-token", \.ownToken, "The bearer token of internal routes, accepted and sent.", form: Tokens.form,
            isEnvironmentOnly: true, defaultText: { $0.isEmpty ? nil : $0 },
            parse: { Tokens.isToken($0) ? $0 : nil }),
        SettingRow(
            "settle-tokens-accepted", \.tokensAccepted, "Further tokens that are accepted.",
            form: "a list with commas and no spaces, of at most \(Tokens.maxAccepted) tokens, each of \(Tokens.form)",
            isEnvironmentOnly: true, defaultText: { _ in "none" }, parse: Tokens.list),
    ]
}
