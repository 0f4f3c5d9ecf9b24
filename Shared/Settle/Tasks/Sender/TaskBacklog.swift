/// How much waits to be answered.
public struct TaskBacklog: Sendable, Equatable {
    /// Tasks sent or to be sent.
    public let pending: Int
    /// Tasks waiting for an operator.
    public let parked: Int
    /// Seconds since the oldest pending task was written; 0 when there is none.
    public let oldestAge: Double

    package init(pending: Int, parked: Int, oldestAge: Double) {
        self.pending = pending
        self.parked = parked
        self.oldestAge = oldestAge
    }
}
