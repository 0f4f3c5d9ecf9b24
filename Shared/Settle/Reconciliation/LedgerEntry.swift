/// What a book holds of one key in one account: one line of its double entry.
///
/// Lines of the same key, account and kind are added up; what adds up to 0 is not there.
public struct LedgerLine: Codable, Sendable, Hashable {
    /// Whose balance it belongs to: a product, a user.
    public let account: String
    /// What for: `taken`, `earned`, `spent`, …
    public let kind: String
    /// How much, net of what was given back; may be negative, where something is wrong.
    public let amount: Int64

    /// A line.
    public init(account: String, kind: String, amount: Int64) {
        self.account = account
        self.kind = kind
        self.amount = amount
    }
}

/// All that a book holds of one business key, an order's id for instance.
public struct LedgerEntry: Codable, Sendable, Equatable {
    /// The business key.
    public let key: String
    /// At least one, in the order of the bytes of account and kind.
    public let lines: [LedgerLine]

    /// An entry.
    public init(key: String, lines: [LedgerLine]) {
        self.key = key
        self.lines = lines
    }
}

/// A checksum over all entries of a range of keys: two books that hold the same have the same ``sum``.
public struct LedgerDigest: Codable, Sendable, Equatable {
    /// How many lines there are, before they are added up: how much there is to read.
    public let lines: Int
    /// The sum of each line's amount times a hash of its key, account and kind, as a decimal number.
    public let sum: String

    /// A checksum.
    public init(lines: Int, sum: String) {
        self.lines = lines
        self.sum = sum
    }

    /// That of nothing.
    public static let empty = LedgerDigest(lines: 0, sum: "0")
}

/// Some entries of a range.
public struct LedgerPage: Codable, Sendable, Equatable {
    /// In the order of their keys, as the book's database has it.
    public let entries: [LedgerEntry]
    /// What to ask for as `after` to get more; nil when there are no more.
    public let next: String?

    /// A page.
    public init(entries: [LedgerEntry], next: String?) {
        self.entries = entries
        self.next = next
    }
}
