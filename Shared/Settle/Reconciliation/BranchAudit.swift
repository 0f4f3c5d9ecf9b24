public import Foundation

/// Shows the branches that participants hold undecided; HTTP enters here.
public protocol BranchAudit: Sendable {
    /// The participants, by their names.
    var participants: [String] { get }

    /// The oldest of those branches at the participant of that name that this initiator decides.
    func undecidedBranches(at participant: String) async throws -> [AuditedBranch]
}

/// A branch that waits for its decision.
public struct AuditedBranch: Sendable, Hashable {
    /// The global transaction.
    public let xid: XID
    /// How the part was done.
    public let mode: String
    /// When it was done.
    public let createdAt: Date
    /// Why it could not be ended, if that was tried.
    public let errormsg: String?

    /// A branch.
    public init(xid: XID, mode: String, createdAt: Date, errormsg: String?) {
        self.xid = xid
        self.mode = mode
        self.createdAt = createdAt
        self.errormsg = errormsg
    }
}
