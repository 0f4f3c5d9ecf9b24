@testable import Settle

/// One global transaction between an initiator and its participants, as far as what happens to it can matter.
struct World: Hashable, Sendable {
    /// A participant: what its database holds, and what has become of its part.
    struct Branch: Hashable, Sendable {
        var isXA: Bool
        var isUp = true
        var row: BranchState?
        /// Mode `xa`: done, invisible, waiting.
        var isPrepared = false
        /// How often the part is in effect: 0 or 1 if all is well.
        var effect = 0
        /// How often it was made final, and undone.
        var confirmed = 0
        var undone = 0
        /// The request has left the initiator; from now on it may arrive at any time, any number of times.
        var isSent = false
        /// The initiator has the answer.
        var isAnswered = false

        var isOpen: Bool { row == .undecided || isPrepared }
    }

    /// The decision that is durable.
    var decision: Decision?
    /// The decision is inserted, and its transaction neither committed nor rolled back: the client, the server or both
    /// may be gone meanwhile.
    var isInserted = false
    /// The process that runs the transaction; nil once it has died or is through with it.
    var progress: TransactionProgress? = .open
    /// Somebody answers participants that ask.
    var isUp = true
    /// A rollback was sent; from now on it may arrive at any time, any number of times.
    var isRollbackSent = false
    /// What the caller was told.
    var toldCommitted = false
    var branches: [Branch]

    /// Why this must not be; nil when all is well.
    var violation: String? {
        if toldCommitted, decision != .commit { return "the caller was told of a commit that is none" }
        for (number, branch) in branches.enumerated() {
            if !(0...1).contains(branch.effect) { return "part \(number) is in effect \(branch.effect) times" }
            if branch.confirmed > 1 { return "part \(number) was made final twice" }
            if branch.undone > 1 { return "part \(number) was undone twice" }
            if branch.confirmed + branch.undone > 1 { return "part \(number) was both made final and undone" }
            if branch.confirmed > 0, decision != .commit { return "part \(number) was made final without a decision" }
            if decision == .commit {
                if branch.effect != 1 { return "committed, and part \(number) is not in effect" }
                if branch.row == .rolledBack { return "committed, and part \(number) is rolled back" }
            }
        }
        return nil
    }

    /// Why this must not be how it ends.
    var endViolation: String? {
        for (number, branch) in branches.enumerated() {
            if branch.isOpen { return "part \(number) is still open" }
            if decision == .commit, branch.effect != 1 { return "committed, and part \(number) is not in effect" }
            if decision != .commit, branch.effect != 0 { return "not committed, and part \(number) is in effect" }
        }
        return nil
    }
}
