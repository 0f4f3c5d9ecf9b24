import Foundation

/// From one key, inclusive, to another, exclusive, in the order of keys.
///
/// Keys that are UUIDs of version 7 are in the order of time, so a range of them is a span of time.
public struct LedgerRange: Sendable, Hashable {
    /// The first key; empty for a range that is open below.
    public let from: String
    /// The first one beyond; nil for a range that is open above.
    public let to: String?

    /// A range.
    public init(from: String, to: String?) {
        self.from = from
        self.to = to
    }
}

/// A request that a ledger cannot be asked: a bound that is no key, for instance.
public struct LedgerRequestError: Error, CustomStringConvertible {
    /// What is wrong with it.
    public let description: String
}
