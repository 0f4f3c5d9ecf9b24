/// What a participant remembers of a branch of a global transaction.
///
/// The table `settle.branch` holds it and its key enforces it; the rules below say what each event means in each state,
/// nil standing for no memory at all. Pure: the tests try every sequence of events on them.
public enum BranchState: String, Sendable, CaseIterable {
    /// The part is done and can still be undone.
    case undecided
    /// The part stays.
    case committed
    /// The part is undone, or was never done and never will be.
    case rolledBack
}

extension BranchState? {
    /// What to do with a request for the part.
    enum OnRequest: Equatable, Sendable {
        /// It is the first one.
        case perform
        /// It was done before: give the same answer.
        case answerAgain
        /// Its transaction is over: it must not be done any more.
        case refuse
    }

    /// The request came, for the first time, again, or late.
    var onRequest: OnRequest {
        switch self {
        case nil: .perform
        case .undecided, .committed: .answerAgain
        case .rolledBack: .refuse
        }
    }

    /// What a decision means for a branch.
    struct Ending: Equatable, Sendable {
        /// What is remembered then.
        let state: BranchState?
        /// Whether something is to be done to get there.
        let acts: Bool
        /// What is told to who decided.
        let outcome: BranchOutcome
    }

    /// The initiator's decision came, for the first time, again, or late.
    ///
    /// A decision never changes: against one that was carried out already, the later word is refused. A rollback that
    /// finds nothing is remembered, so that a request that it has overtaken is refused; a commit that finds nothing
    /// concerns a branch that ended long ago, since nobody commits before every part is done.
    func onDecision(_ verdict: Verdict) -> Ending {
        switch (self, verdict) {
        case (nil, .commit): Ending(state: nil, acts: false, outcome: .committed)
        case (nil, .rollback): Ending(state: .rolledBack, acts: false, outcome: .rolledBack)
        case (.undecided, .commit): Ending(state: .committed, acts: true, outcome: .committed)
        case (.undecided, .rollback): Ending(state: .rolledBack, acts: true, outcome: .rolledBack)
        case (.committed, _): Ending(state: .committed, acts: false, outcome: .committed)
        case (.rolledBack, _): Ending(state: .rolledBack, acts: false, outcome: .rolledBack)
        }
    }
}

extension [BranchState] {
    /// What is told to who decided, of all branches of one transaction, before the decision is carried out on those that
    /// wait: what was carried out on any of them before counts.
    func outcome(of verdict: Verdict) -> BranchOutcome {
        let expected = BranchState?.none.onDecision(verdict).outcome
        return map { Optional($0).onDecision(verdict).outcome }.first { $0 != expected } ?? expected
    }
}
