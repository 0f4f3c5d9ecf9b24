/// How a participant does its part, so that it can still be undone.
public enum BranchMode: String, Sendable, Codable, CaseIterable {
    /// Plain SQL, at once; triggers keep what is needed to undo it, and hold the rows.
    case at
    /// Try, then confirm or cancel.
    case tcc
    /// `PREPARE TRANSACTION`, then `COMMIT PREPARED` or `ROLLBACK PREPARED`.
    case xa
    /// The action, committed; a compensation if need be.
    case saga
    /// Prepare, then commit or roll back, at a resource that is no database.
    case mt

    /// Those whose parts are done in the participant's PostgreSQL.
    public static let local: [BranchMode] = [.at, .tcc, .xa, .saga]

    /// Whether nobody else changes the rows of such a part before the end.
    var holdsRows: Bool { self == .at || self == .xa }
}

/// What the initiator says of a global transaction.
public enum Decision: String, Sendable, Codable {
    /// Its own commit has happened.
    case commit
    /// It has not, and cannot any more.
    case abort
    /// It may be happening right now: ask again.
    case undecided
}

/// What became of a branch.
public enum BranchOutcome: String, Sendable, Codable {
    /// The part that was done stays.
    case committed
    /// The part that was done is undone, or will never be done.
    case rolledBack
}
