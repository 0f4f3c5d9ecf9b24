public import Foundation

/// What an initiator has decided, as it stands in `settle.global_transaction`.
public struct DecisionRecord: Encodable, Sendable {
    /// The global transaction.
    public let xid: String
    /// `commit` or `abort`.
    public let decision: Decision
    /// The base URLs of those who must hear of a commit.
    public let participants: [String]
    /// When it was decided.
    public let createdAt: Date
    /// When the last of them had confirmed; nil while one has not, and of an abort.
    public let acknowledgedAt: Date?
    /// How many times they were told by the scan.
    public let attempts: Int
}

extension TransactionInitiator {
    /// What was decided, the latest first.
    ///
    /// - Parameters:
    ///   - isOpen: only commits that not every participant has confirmed, those that are due first.
    ///   - limit: the most that are answered.
    public func records(isOpen: Bool, limit: Int) async throws -> [DecisionRecord] {
        try await store.records(isOpen: isOpen, limit: limit)
    }

    /// What was decided on `xid`; nil while nothing is, after an abort that nobody had to be told of, and once it is forgotten.
    public func record(of xid: XID) async throws -> DecisionRecord? { try await store.record(of: xid) }
}
