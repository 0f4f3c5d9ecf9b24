public import Settle

/// What happened to a task in memory, in the order in which it did.
public enum TaskEvent: Sendable, Equatable {
    /// Its sender published it.
    case sent(Int64)
    /// The broker lost it on the way, and had said that it has it.
    case lost(Int64)
    /// The receiver's transaction was committed.
    case decided(Int64, TaskOutcome)
    /// The receiver published its answer.
    case answered(Int64, TaskAnswer)
    /// The receiver gave its delivery back to the broker as done.
    case acknowledged(Int64)
    /// The receiver cannot do it now, and keeps it for later.
    case setAside(Int64)
    /// Nobody can make sense of it; the reason is for people.
    case deadLetter(Int64, reason: String)
    /// Its sender took the answer, and did what follows.
    case archived(Int64, TaskAnswer)
    /// Its sender has sent it as often as it may.
    case parked(Int64)
}
