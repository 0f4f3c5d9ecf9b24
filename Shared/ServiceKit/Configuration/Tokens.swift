/// The bearer tokens of a service: what it accepts, and what it sends to whom.
///
/// To change a token without a stop, two are accepted for a while: docs/security.md has the steps.
public struct Tokens: Sendable, Equatable {
    /// `SETTLE_TOKEN`: accepted, and sent to every service that has no token of its own here.
    public let own: String
    /// What internal requests may carry: `own` and those of `SETTLE_TOKENS_ACCEPTED`.
    public let accepted: [String]
    private let byURL: [BaseURL: String]

    /// Letters and digits at random, this many cannot be guessed over a network.
    private static let minLength = 16
    /// The header that carries it stays well below what a server reads.
    static let maxLength = 512
    static let maxAccepted = 16
    /// What a token must be, for the operator.
    package static let form = "\(minLength) to \(maxLength) characters of printable ASCII"

    /// - Parameters:
    ///   - own: the one that is sent, and accepted.
    ///   - accepted: further ones.
    ///   - byURL: what is sent to an address in place of `own`.
    public init(_ own: String, accepted: [String] = [], byURL: [BaseURL: String] = [:]) {
        self.own = own
        self.accepted = [own] + accepted
        self.byURL = byURL
    }

    /// What requests to `baseURL` carry.
    public func sent(to baseURL: BaseURL) -> String { byURL[baseURL] ?? own }

    /// Whether a byte may stand in a token: what RFC 6750 allows in the header, and a little more.
    static func isAllowed(_ byte: UInt8) -> Bool { (0x21...0x7E).contains(byte) }

    /// A token that no client could send is refused at start.
    package static func isToken(_ text: String) -> Bool {
        (minLength...maxLength).contains(text.utf8.count) && text.utf8.allSatisfy(isAllowed)
    }

    /// Several with commas between them; nil when one of them is no token. Nothing between two commas is none: it is a
    /// slip of the pen.
    @Sendable static func list(_ text: String) -> [String]? {
        let tokens = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        return tokens.count <= maxAccepted && tokens.allSatisfy(isToken) ? tokens : nil
    }
}
