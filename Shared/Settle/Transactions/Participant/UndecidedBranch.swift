public import Foundation
import Synchronization

/// A branch that waits for its decision, as an operator sees it.
public struct UndecidedBranch: Encodable, Sendable {
    /// The global transaction.
    public let xid: String
    /// Which of its branches.
    public let branch: String
    /// How the part was done.
    public let mode: String
    /// `undecided`, or `prepared` in modes `xa` and `mt`, or `preparing` in `mt`.
    public let state: String
    /// Who decides, as the branch has it.
    public let initiator: String
    /// Whether configuration does not know who that is, so that nobody is asked.
    public internal(set) var unresolved = false
    /// When it was done.
    public let createdAt: Date
    /// How many times its resource could not be told the end, in mode `mt`.
    public let tries: Int
    /// Why it could not be ended, if that was tried.
    public let errormsg: String?
}

extension Participant {
    /// The oldest branches that wait for their decision.
    func undecided(limit: Int) async throws -> [UndecidedBranch] {
        try await BranchStore.undecided(
            limit: limit, unended: unendedPrepared.withLock { $0 }, in: ending)
    }
}

extension CheckBack {
    /// The oldest branches that wait for their decision.
    public func undecided(limit: Int) async throws -> [UndecidedBranch] {
        try await participant.undecided(limit: limit).map { branch in
            var branch = branch
            branch.unresolved = peers.name(of: branch.initiator) == nil
            return branch
        }
    }
}
