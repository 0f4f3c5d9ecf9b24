import Synchronization

/// A global transaction in the hands of its initiator. It costs nothing until it is decided: no log, no message.
public final class GlobalTransaction: Sendable {
    /// How far its decision has come, as this process knows it.
    enum Progress: Sendable {
        /// No decision was sent to the database: it will not commit.
        case open
        /// The decision was sent; the answer was not seen yet.
        case deciding
        /// The decision is durable.
        case committed
    }

    private struct State {
        var participants: Set<String> = []
        var progress = Progress.open
    }

    /// Its name.
    public let xid: XID
    /// Base URL at which participants ask about it.
    public let initiator: String
    /// It may not be committed past this.
    public let deadline: ContinuousClock.Instant
    private let state = Mutex(State())

    init(xid: XID, initiator: String, deadline: ContinuousClock.Instant) {
        self.xid = xid
        self.initiator = initiator
        self.deadline = deadline
    }

    /// Notes, before it is called, that the service at this base URL may do a part of it.
    public func enlist(_ participant: String) {
        state.withLock { _ = $0.participants.insert(participant) }
    }

    /// Takes back `enlist`, for a participant that surely did nothing.
    public func withdraw(_ participant: String) {
        state.withLock { _ = $0.participants.remove(participant) }
    }

    /// Who may have done a part of it.
    var participants: [String] { state.withLock { $0.participants.sorted() } }

    var progress: Progress {
        get { state.withLock { $0.progress } }
        set { state.withLock { $0.progress = newValue } }
    }

    /// What is left of its time; never negative.
    public var remaining: Duration { max(.zero, deadline - .now) }
}
