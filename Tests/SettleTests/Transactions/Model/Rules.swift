@testable import Settle

/// The decisions of the real code, which the model is made of. A test may replace one to see that the model notices.
struct Rules: Sendable {
    var onRequest: @Sendable (BranchState?) -> BranchState?.OnRequest = { $0.onRequest }
    var onDecision: @Sendable (BranchState?, Bool) -> BranchState?.Ending = { $0.onDecision($1 ? .commit : .rollback) }
    var atEnd: @Sendable (TransactionProgress) -> TransactionProgress.AtEnd = { $0.atEnd }
    var foundOut: @Sendable (Decision) -> Decision.FoundOut = { $0.foundOut }
    var commits: @Sendable (Decision) -> Bool? = { $0.verdict.map { $0 == .commit } }
    /// PostgreSQL's part: whether asking about a transaction without a decision leaves an `abort` behind.
    var askingAborts = true
    /// PostgreSQL's part: whether an asker waits for a decision that is inserted but not committed, or takes it for none.
    var askingWaits = true
    /// Whether the request and its own memory are one local transaction.
    var remembersWithEffect = true
}
