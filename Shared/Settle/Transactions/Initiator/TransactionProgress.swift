/// How far a global transaction's decision has come, as the process that runs it knows. Pure.
enum TransactionProgress: Sendable, CaseIterable {
    /// No decision was sent to the database: it will not commit.
    case open
    /// The decision was sent; that it is durable was not seen.
    case deciding
    /// The decision is durable.
    case committed

    /// What is left to do once the initiator's own work is over, well or not.
    enum AtEnd: Equatable, Sendable {
        case nothing
        /// Have the participants undo their parts.
        case rollBack
        /// Declare it aborted, unless it is committed after all, and go by the answer.
        case findOut
    }

    var atEnd: AtEnd {
        switch self {
        case .open: .rollBack
        case .deciding: .findOut
        case .committed: .nothing
        }
    }
}

extension Decision {
    /// What an initiator does that had to find out.
    enum FoundOut: Equatable, Sendable {
        /// Its commit has happened: tell the participants.
        case tellCommitted
        /// It will never happen: have them undo their parts.
        case rollBack
        /// It is happening right now. The participants will ask.
        case leaveToCheckBack
    }

    var foundOut: FoundOut {
        switch self {
        case .commit: .tellCommitted
        case .abort: .rollBack
        case .undecided: .leaveToCheckBack
        }
    }

    /// What a participant does that has asked; nil: it waits and asks again.
    var verdict: Verdict? {
        switch self {
        case .commit: .commit
        case .abort: .rollback
        case .undecided: nil
        }
    }
}
