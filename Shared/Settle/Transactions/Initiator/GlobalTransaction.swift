import ServiceContextModule
import Synchronization

/// A global transaction in the hands of its initiator. It costs nothing until it is decided: no log, no message.
public final class GlobalTransaction: Sendable {
    private struct State {
        /// How many calls went to each participant that did something, or may have.
        var calls: [String: Int] = [:]  // ours
        /// How many branches were named.
        var branches = 0
        var progress = TransactionProgress.open
        var isOver = false
    }

    /// Its name.
    public let xid: XID
    /// The initiator's base URL.
    public let initiator: String
    /// The initiator's name, by which participants know whom to ask; nil: they go by the base URL.
    public let initiatorName: String?
    /// It may not be committed past this.
    public let deadline: ContinuousClock.Instant
    /// Of who began it: its end is in that trace, too.
    let context: ServiceContext?
    private let state = Mutex(State())

    init(xid: XID, initiator: String, initiatorName: String? = nil, deadline: ContinuousClock.Instant) {
        context = ServiceContext.current
        self.xid = xid
        self.initiator = initiator
        self.initiatorName = initiatorName
        self.deadline = deadline
    }

    /// Notes, before each call, that the service of this name may do a part of it.
    func enlist(_ participant: String) {
        state.withLock { $0.calls[participant, default: 0] += 1 }
    }

    /// Takes back one `enlist`, for a call that surely did nothing.
    func withdraw(_ participant: String) {
        state.withLock { state in
            guard let calls = state.calls[participant] else { return }
            state.calls[participant] = calls > 1 ? calls - 1 : nil
        }
    }

    /// The name of the next call's branch.
    func nextBranch() -> BranchID {
        state.withLock { state in
            state.branches += 1
            return .call(state.branches)
        }
    }

    /// Who may have done a part of it.
    var participants: [String] { state.withLock { $0.calls.keys.sorted() } }

    var progress: TransactionProgress {
        get { state.withLock { $0.progress } }
        set { state.withLock { $0.progress = newValue } }
    }

    /// Throws `TransactionEnded` once its initiator's work is over.
    func checkOpen() throws {
        guard !(state.withLock { $0.isOver }) else { throw TransactionEnded(xid: xid) }
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

    /// What is left of its time; never negative.
    public var remaining: Duration { max(.zero, deadline - .now) }
}
