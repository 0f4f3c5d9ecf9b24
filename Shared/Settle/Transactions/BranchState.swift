/// What a participant knows of its branch of a global transaction. Pure.
///
/// The tables hold it and their keys enforce it; this says what each event means in each state.
public enum BranchState: String, Sendable, CaseIterable {
    /// The part is done and can still be undone.
    case undecided
    /// The part stays.
    case committed
    /// The part is undone, or was never done and never will be.
    case rolledBack

    /// What to do with a request for a branch, when there is one already.
    enum Repeated: Equatable, Sendable {
        /// It was done before: give the same answer.
        case answerAgain
        /// Its transaction is over: it must not be done any more.
        case refuse
    }

    /// The same request came again, or late.
    var onRequest: Repeated {
        switch self {
        case .undecided, .committed: .answerAgain
        case .rolledBack: .refuse
        }
    }

    /// The state after the initiator's decision, and whether something is to be done to get there.
    ///
    /// A decision never changes: against one that was carried out already, the later word is refused.
    func onDecision(commit: Bool) -> (state: BranchState, acts: Bool) {
        switch (self, commit) {
        case (.undecided, true): (.committed, true)
        case (.undecided, false): (.rolledBack, true)
        case (.committed, _), (.rolledBack, _): (self, false)
        }
    }

    /// What is told to who decided. Undecided has no outcome.
    var outcome: BranchOutcome? {
        switch self {
        case .undecided: nil
        case .committed: .committed
        case .rolledBack: .rolledBack
        }
    }
}
