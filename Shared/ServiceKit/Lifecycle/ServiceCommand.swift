/// The command of a service: its name, what it is for, and all of its settings. Its flags, its environment variables and
/// its `--help` are made of these.
public struct ServiceCommand: Sendable {
    /// Of the executable and of the service, which labels its log.
    public let name: String
    /// Everything that an operator may set, in the order of `--help`.
    public let settings: [Setting]
    let about: String
    let port: Int
    let peers: [PeerService]
    let usesRedis: Bool
    let usesServers: Bool

    /// - Parameters:
    ///   - name: of the executable.
    ///   - about: for `--help`: what the service does.
    ///   - port: where it listens when nothing is said.
    ///   - peers: services that this one may call.
    ///   - usesRedis: whether it needs to know where Redis is.
    ///   - usesServers: false for one that needs neither PostgreSQL nor RabbitMQ nor Redis.
    ///   - settings: its own ones, beside those that every service has.
    public init(
        _ name: String, about: String, port: Int, peers: [PeerService] = [], usesRedis: Bool = true,
        usesServers: Bool = true, settings: [Setting] = []
    ) {
        self.name = name
        self.about = about
        self.port = port
        self.peers = peers
        self.usesRedis = usesRedis
        self.usesServers = usesServers
        self.settings =
            Settings.table(port: port, peers: peers, usesRedis: usesRedis, usesServers: usesServers).settings + settings
    }

    /// What a command line asks for. Flags are by the name of their setting; of one that comes twice the last one counts.
    enum Request: Equatable {
        case help
        case health(flags: [String: String])
        case serve(flags: [String: String])
    }

    /// A command line that cannot be meant. Its text repeats no value: it may be a secret in the wrong place.
    struct UsageError: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// - Parameter arguments: without the executable: `--name value` or `--name=value`.
    func request(_ arguments: [String]) throws(UsageError) -> Request {
        var flags: [String: String] = [:]
        var isHealth = false
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--help" || argument == "-h" { return .help }
            if argument == "--health" {
                isHealth = true
                continue
            }
            let sides = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let setting = try setting(String(sides[0]))
            if sides.count == 2 {
                flags[setting.name] = String(sides[1])
            } else if let value = rest.first, !value.hasPrefix("--") {
                flags[setting.name] = value
                rest.removeFirst()
            } else {
                throw UsageError(description: "--\(setting.name) needs a value: \(setting.form)")
            }
        }
        return isHealth ? .health(flags: flags) : .serve(flags: flags)
    }

    private func setting(_ flag: String) throws(UsageError) -> Setting {
        guard flag.hasPrefix("--") else {
            throw UsageError(description: "an argument that is no flag; \(name) --help lists them")
        }
        guard let setting = settings.first(where: { "--\($0.name)" == flag }) else {
            throw UsageError(description: "unknown flag \(flag.prefix(64).debugDescription); \(name) --help lists them")
        }
        guard !setting.isEnvironmentOnly else {
            throw UsageError(
                description: "\(flag) is no flag: \(setting.variable) comes from the environment, "
                    + "or from the file that \(setting.variable)_FILE names")
        }
        return setting
    }
}
