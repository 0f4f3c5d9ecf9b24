/// What an initiator decided, as it is carried out.
public enum Verdict: Sendable, Hashable {
    /// What was done stays.
    case commit
    /// What was done is undone.
    case rollback
}
