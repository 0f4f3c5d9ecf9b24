/// HMAC-SHA-256 (RFC 2104) with one key.
public struct HMAC: Sendable {
    /// With the key's block in it already, so that it is hashed once for all messages.
    private let inner: SHA256
    private let outer: SHA256

    /// - Parameter key: of any length; one that is longer than 64 bytes is as good as its digest.
    public init(key: [UInt8]) {
        var block = key.count > 64 ? SHA256.digest(of: key) : key
        block += Array(repeating: 0, count: 64 - block.count)
        inner = Self.begun(with: block.map { $0 ^ 0x36 })
        outer = Self.begun(with: block.map { $0 ^ 0x5c })
    }

    private static func begun(with block: [UInt8]) -> SHA256 {
        var hash = SHA256()
        hash.update(block)
        return hash
    }

    /// The 32 bytes that stand for `parts`, one after the other.
    public func code(of parts: [UInt8]...) -> [UInt8] {
        var inner = inner
        for part in parts { inner.update(part) }
        var outer = outer
        outer.update(inner.digest())
        return outer.digest()
    }
}

extension Collection<UInt8> {
    /// Whether the bytes are the same; of two that are as long, it takes as long wherever they differ.
    public func isEqualInConstantTime(to other: some Collection<UInt8>) -> Bool {
        guard count == other.count else { return false }
        return zip(self, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
