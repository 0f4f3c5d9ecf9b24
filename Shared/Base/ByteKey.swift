/// A text as a key: it equals another, and comes before another, by its bytes alone.
///
/// Swift's `String` compares by canonical equivalence: "é" written as one character equals "e" followed by an accent.
/// PostgreSQL compares bytes, so its primary keys hold both. Whoever gathers names from outside in a set or a dictionary
/// must tell apart what the database tells apart.
public struct ByteKey: Hashable, Comparable, Sendable {
    /// The text, unchanged.
    public let text: String

    /// `text` as a key.
    public init(_ text: String) { self.text = text }

    /// Whether the bytes are the same.
    public static func == (one: ByteKey, other: ByteKey) -> Bool { one.text.utf8.elementsEqual(other.text.utf8) }

    /// Whether the bytes come first: PostgreSQL's order in the collation "C".
    public static func < (one: ByteKey, other: ByteKey) -> Bool {
        one.text.utf8.lexicographicallyPrecedes(other.text.utf8)
    }

    /// Of the bytes.
    public func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(UInt8(0xFF))  // in no UTF-8: where this key ends in what is hashed
    }
}

extension Sequence<String> {
    /// The texts, as keys.
    public var byteKeys: Set<ByteKey> { Set(map(ByteKey.init)) }
}
