public import Foundation

/// A service's ledger as another one reads it: in the same process, or by HTTP.
public protocol LedgerBook: Sendable {
    /// Since when it holds everything; nil for one that always has.
    func since() async throws -> Date?

    /// A checksum for each range from one bound, inclusive, to the next, exclusive.
    ///
    /// - Parameter bounds: in the order of keys; the first may be empty, for a range that is open below.
    func digests(between bounds: [String]) async throws -> [LedgerDigest]

    /// The entries of a range, by pages.
    ///
    /// - Parameters:
    ///   - range: which.
    ///   - after: the `next` of the page before; nil for the first.
    ///   - limit: how many entries at most.
    func entries(of range: LedgerRange, after: String?, limit: Int) async throws -> LedgerPage

    /// The entries of these keys; none for those that have no lines.
    func entries(of keys: [String]) async throws -> [LedgerEntry]

    /// The book's balances, against its own ledger.
    func balances() async throws -> BalanceComparison

    /// Sets balances to what the ledger says, each only where it is still off by as much as was seen.
    ///
    /// - Returns: those that were set.
    func correct(_ corrections: [BalanceDifference], reason: String) async throws -> [BalanceDifference]

    /// Adds lines to the ledger that put an entry right, if it still is what was seen. Balances stay as they are.
    ///
    /// - Returns: whether that is done, now or before.
    func adjust(_ adjustment: LedgerAdjustment) async throws -> Bool
}

/// What puts the entry of one key right, by lines that are added: nothing that a ledger holds is changed.
public struct LedgerAdjustment: Codable, Sendable, Equatable {
    /// Made by whoever asks; the same adjustment twice is done once. A UUID.
    public let id: String
    /// Whose entry.
    public let key: String
    /// What the entry was seen to be; empty for none.
    public let before: [LedgerLine]
    /// What it shall be.
    public let after: [LedgerLine]
    /// Why, in a person's words.
    public let reason: String

    /// An adjustment.
    public init(id: String, key: String, before: [LedgerLine], after: [LedgerLine], reason: String) {
        self.id = id
        self.key = key
        self.before = before
        self.after = after
        self.reason = reason
    }
}
