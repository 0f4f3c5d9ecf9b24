/// What became of a task so far.
public enum TaskState: String, Sendable, CaseIterable {
    /// Sent or to be sent, not answered yet.
    case pending
    /// All attempts used up: it waits for an operator.
    case parked
    /// Archived: the receiver has done it.
    case finished
    /// Archived: the receiver could not do it.
    case rejected
}
