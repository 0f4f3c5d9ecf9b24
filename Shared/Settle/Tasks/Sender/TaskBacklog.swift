/// How much waits to be answered.
public struct TaskBacklog: Sendable, Equatable {
    /// Tasks sent or to be sent, delayed ones among them.
    public let pending: Int
    /// Tasks waiting for an operator.
    public let parked: Int
    /// Seconds since the oldest pending task was written, or since its time came; 0 when there is none.
    public let oldestAge: Double
    /// Of those that are pending: the ones whose time has not come.
    public var delayed = 0
    /// Tasks behind others of their lines.
    public var waiting = 0
    /// Seconds since the oldest of these was written; 0 when there is none.
    public var oldestWaitingAge = 0.0
    /// Lines whose first task is parked: nothing of them is sent until an operator retries or discards it.
    public var heldLines = 0
    /// Tasks that have come due while their type was paused.
    public var paused = 0
    /// Types that are paused.
    public var pausedTypes = 0
    /// Seconds since the first of these was; 0 when there is none.
    public var oldestPauseAge = 0.0

    package init(pending: Int, parked: Int, oldestAge: Double) {
        self.pending = pending
        self.parked = parked
        self.oldestAge = oldestAge
    }
}
