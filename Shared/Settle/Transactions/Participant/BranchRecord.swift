public import Foundation

/// A branch as it stands in `settle.branch`, waiting or ended, for whoever wants to know what became of a transaction.
public struct BranchRecord: Encodable, Sendable {
    /// The global transaction.
    public let xid: String
    /// Which of its branches.
    public let branch: String
    /// How the part was done; nil where nothing was done and a rollback came all the same.
    public let mode: String?
    /// Which of the participant's actions.
    public let action: String?
    /// `undecided`, `prepared` in modes `xa` and `mt`, `preparing` in `mt`, `committed` or `rolledBack`.
    public let state: String
    /// Who decides, as the branch has it.
    public let initiator: String?
    /// When it was done.
    public let createdAt: Date
    /// When it ended; nil while it waits.
    public let endedAt: Date?
    /// How many times its initiator was asked.
    public let checks: Int
    /// How many times its resource could not be told the end, in mode `mt`.
    public let tries: Int
    /// Why it could not be ended, if that was tried.
    public let errormsg: String?
}

extension CheckBack {
    /// What this service has of `xids`, those that have ended as long as they are kept.
    ///
    /// - Parameter xids: at most a thousand, as a decision's.
    public func branches(of xids: [XID]) async throws -> [BranchRecord] {
        try await BranchStore.records(of: xids, in: participant.ending)
    }
}
