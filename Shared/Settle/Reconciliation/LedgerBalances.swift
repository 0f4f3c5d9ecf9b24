/// How a service compares its balances with its own ledger, and sets one right.
///
/// The ledger is what its ``LedgerSource`` reads, all keys taken together, and with it `settle.ledger_adjustment`: a line of
/// kind `taken` or `spent` there counts against the balance as one of the service's own does.
public protocol LedgerBalances: Sendable {
    /// All balances, as one snapshot.
    ///
    /// - Parameter limit: how many differences are told at most.
    func compare(limit: Int) async throws -> BalanceComparison

    /// Sets each balance to what the ledger says, only where it is still off by as much as was seen (`ledger` − `balance`:
    /// both may have moved on together) and no global transaction holds the row.
    ///
    /// - Returns: those that were set.
    func correct(_ corrections: [BalanceDifference], reason: String) async throws -> [BalanceDifference]
}

/// A balance that is not the sum of its ledger.
public struct BalanceDifference: Codable, Sendable, Hashable {
    /// Whose.
    public let account: String
    /// Which of its balances: `available`, `reserved`, `points`, …
    public let column: String
    /// What it is.
    public let balance: Int64
    /// What the ledger says.
    public let ledger: Int64

    /// A difference.
    public init(account: String, column: String, balance: Int64, ledger: Int64) {
        self.account = account
        self.column = column
        self.balance = balance
        self.ledger = ledger
    }
}

/// What a look at all balances found.
public struct BalanceComparison: Codable, Sendable, Equatable {
    /// How many differences are told at most.
    public static let limit = 1000

    /// How many accounts there are.
    public let accounts: Int
    /// Those balances that differ.
    public let differences: [BalanceDifference]
    /// Whether there are more than were told.
    public let more: Bool

    /// A result.
    public init(accounts: Int, differences: [BalanceDifference], more: Bool = false) {
        self.accounts = accounts
        self.differences = differences
        self.more = more
    }
}
