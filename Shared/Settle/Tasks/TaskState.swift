/// What became of a task so far.
public enum TaskState: String, Sendable, CaseIterable {
    /// Sent or to be sent, not answered yet; also one whose time has not come.
    case pending
    /// All attempts used up, or its time: it waits for an operator.
    case parked
    /// Behind another one of its line.
    case waiting
    /// Its type is paused, and it has come due since.
    case paused
    /// Archived: the receiver has done it.
    case finished
    /// Archived: the receiver could not do it.
    case rejected
    /// Archived: nobody answered in time.
    case expired
    /// Archived: an operator has given it up.
    case discarded

    /// Whether it is in the archive.
    public var isArchived: Bool {
        switch self {
        case .pending, .parked, .waiting, .paused: false
        case .finished, .rejected, .expired, .discarded: true
        }
    }
}
