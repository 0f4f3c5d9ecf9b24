import ServiceContextModule
import Synchronization

/// A global transaction in the hands of its initiator. It costs nothing until it is decided: no log, no message.
public final class GlobalTransaction: Sendable {
    private struct State {
        var progress = TransactionProgress.open
        var isOver = false
    }

    /// Calls its participants, and knows who they are.
    public let caller: BranchCaller
    /// Of who began it: its end is in that trace, too.
    let context: ServiceContext?
    private let state = Mutex(State())

    init(
        xid: XID, initiator: String, initiatorName: String? = nil, deadline: ContinuousClock.Instant,
        name: @escaping @Sendable (String) -> String? = { $0 }
    ) {
        context = ServiceContext.current
        caller = BranchCaller(
            xid: xid, initiator: initiator, initiatorName: initiatorName, deadline: deadline, name: name)
    }

    /// Its name.
    public var xid: XID { caller.xid }
    /// The initiator's base URL.
    public var initiator: String { caller.initiator }
    /// The initiator's name, by which participants know whom to ask; nil: they go by the base URL.
    public var initiatorName: String? { caller.initiatorName }
    /// It may not be committed past this.
    public var deadline: ContinuousClock.Instant { caller.deadline }
    /// What is left of its time; never negative.
    public var remaining: Duration { caller.remaining }
    /// Who may have done a part of it.
    var participants: [String] { caller.participants }

    var progress: TransactionProgress {
        get { state.withLock { $0.progress } }
        set { state.withLock { $0.progress = newValue } }
    }

    /// Throws `TransactionEnded` once its initiator's work is over, `TransactionDoomed` when a call has failed.
    func checkOpen() throws {
        guard !(state.withLock { $0.isOver }) else { throw TransactionEnded(xid: xid) }
        if let cause = caller.doom { throw TransactionDoomed(xid: xid, cause: cause) }
    }

    /// Its decision is about to be sent. Not after `end`: what `end` found would not be true any more.
    func beginDeciding() throws {
        let isOver = state.withLock { state in
            if !state.isOver { state.progress = .deciding }
            return state.isOver
        }
        if isOver { throw TransactionEnded(xid: xid) }
    }

    /// Its initiator's work is over: how far it has come. From now on it cannot be decided any more.
    func end() -> TransactionProgress {
        state.withLock { state in
            state.isOver = true
            return state.progress
        }
    }
}
