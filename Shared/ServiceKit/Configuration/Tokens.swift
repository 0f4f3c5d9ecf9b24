/// The bearer tokens of a service: what it accepts, and what it sends to whom.
///
/// To change a token without a stop, two are accepted for a while: docs/security.md has the steps.
public struct Tokens: Sendable, Equatable {
    /// `SETTLE_TOKEN`: accepted, and sent to every service that has no token of its own here.
    public let own: String
    /// What internal requests may carry: `own` and those of `SETTLE_TOKENS_ACCEPTED`.
    public let accepted: [String]
    private let byURL: [BaseURL: String]

    static let ownName = "settle-token"
    static let acceptedName = "settle-tokens-accepted"
    /// Letters and digits at random, this many cannot be guessed over a network.
    static let minLength = 16
    /// The header that carries it stays well below what a server reads.
    static let maxLength = 512
    static let maxAccepted = 16

    /// One token for all.
    public init(_ own: String) {
        self.own = own
        accepted = [own]
        byURL = [:]
    }

    /// The same for a token that comes from outside of the program.
    ///
    /// - Throws: ``SettingsError`` for one that is too short, or that no client could send.
    package init(checking own: String) throws(SettingsError) {
        self.init(try Self.checked(own, Self.ownName))
    }

    /// - Parameter peers: where each of them is.
    /// - Throws: ``SettingsError`` for a token that is missing, too short, or that no client could send.
    init(_ reader: SettingsReader, peers: [PeerService: BaseURL]) throws(SettingsError) {
        own = try Self.checked(try reader.string(Self.ownName, isSecret: true), Self.ownName)
        var accepted = [own]
        let others = try reader.string(Self.acceptedName, default: "", isSecret: true)
        // Nothing between two commas is a slip of the pen, and is refused as too short.
        for token in others.isEmpty ? [] : others.split(separator: ",", omittingEmptySubsequences: false) {
            accepted.append(try Self.checked(String(token), Self.acceptedName))
        }
        guard accepted.count <= Self.maxAccepted + 1 else {
            throw SettingsError(Self.acceptedName, "at most \(Self.maxAccepted) tokens are expected")
        }
        var byURL: [BaseURL: String] = [:]
        for (peer, url) in peers.sorted(by: { $0.key.name < $1.key.name }) {
            let name = peer.tokenSetting
            let token = try reader.string(name, default: own, isSecret: true)
            if token != own { byURL[url] = try Self.checked(token, name) }
        }
        self.accepted = accepted
        self.byURL = byURL
    }

    /// What requests to `baseURL` carry.
    public func sent(to baseURL: BaseURL) -> String { byURL[baseURL] ?? own }

    /// Whether a byte may stand in a token: what RFC 6750 allows in the header, and a little more.
    static func isAllowed(_ byte: UInt8) -> Bool { (0x21...0x7E).contains(byte) }

    private static func checked(_ token: String, _ name: String) throws(SettingsError) -> String {
        // A token that no client could send is refused at start.
        guard token.utf8.allSatisfy(isAllowed) else {
            throw SettingsError(name, "printable ASCII without spaces is expected")
        }
        guard (minLength...maxLength).contains(token.utf8.count) else {
            throw SettingsError(name, "\(minLength) to \(maxLength) characters are expected")
        }
        return token
    }
}
