/// The address of a service, in one form: `http://host:port/path` without a slash at its end.
///
/// Strict, and by hand: what passes here can be called by the HTTP client, which stops the process at a port that is
/// none. Two texts that mean the same address, but for names that the resolver knows to be one, are equal.
public struct BaseURL: Sendable, Hashable, CustomStringConvertible {
    /// Scheme and host in lower case, without the scheme's own port.
    public let description: String

    /// Nil unless it is `http` or `https`, a host, perhaps a port from 1 to 65535, perhaps a path; without user,
    /// query, fragment, spaces.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.maxBytes, let separator = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<separator.lowerBound].lowercased()
        let rest = text[separator.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        var path = rest.dropFirst(authority.count)
        while path.last == "/" { path.removeLast() }
        guard ["http", "https"].contains(scheme), path.allSatisfy(Self.isOfPath),
            let (host, port) = Self.hostAndPort(authority.lowercased())
        else { return nil }
        let isOwnPort = port == ["http": 80, "https": 443][scheme]
        description = "\(scheme)://\(host)\(port.map { isOwnPort ? "" : ":\($0)" } ?? "")\(path)"
    }

    private static let maxBytes = 2_000
    /// Of DNS (RFC 1035, 2.3.4), as text.
    private static let maxHost = 253

    private static func hostAndPort(_ authority: String) -> (host: Substring, port: Int?)? {
        let host: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[...end]
            let address = host.dropFirst().dropLast()
            guard address.contains(":"), address.allSatisfy({ $0.isHexDigit && $0.isASCII || $0 == ":" || $0 == "." })
            else { return nil }
        } else {
            host = authority.prefix { $0 != ":" }
            guard (1...maxHost).contains(host.utf8.count), host.allSatisfy(isOfName) else { return nil }
        }
        let rest = authority[host.endIndex...]
        if rest.isEmpty { return (host, nil) }
        let digits = rest.dropFirst()
        guard rest.first == ":", (1...5).contains(digits.count), digits.allSatisfy({ $0.isASCII && $0.isNumber }),
            let port = Int(digits), (1...65535).contains(port)
        else { return nil }
        return (host, port)
    }

    private static func isOfName(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber) || "-._".contains(character)
    }

    /// What RFC 3986 allows in a path.
    private static func isOfPath(_ character: Character) -> Bool {
        isOfName(character) || "/~!$&'()*+,;=:@%".contains(character)
    }
}
