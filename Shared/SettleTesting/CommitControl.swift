import Foundation
import SettlePostgres
import Synchronization

/// What happens at the commits of the connections on trial. Asked on their threads, which may block.
final class CommitControl: Sendable {
    private enum Plan {
        case none
        case lose(LossOnDemand.Moment, Int)
        case pause(Int)
    }

    private struct State {
        var plan = Plan.none
        var commits = 0
        var hasHappened = false
        var hasEnded = false
        /// Of the commit that stands still.
        let gate = DispatchSemaphore(value: 0)
    }

    private let state = Mutex(State())
    /// The longest that a commit stands still.
    private static let patience = DispatchTimeInterval.seconds(10)

    func lose(at moment: LossOnDemand.Moment, ofCommit commit: Int) { set(.lose(moment, commit)) }
    func pause(atCommit commit: Int) { set(.pause(commit)) }

    private func set(_ plan: Plan) { state.withLock { $0 = State(plan: plan) } }

    /// Nothing happens any more; whether it has.
    func reset() -> Bool {
        state.withLock { state in
            defer { state = State() }
            return state.hasHappened
        }
    }

    /// The commit that stands still goes on.
    func goOn() { state.withLock { $0.gate }.signal() }

    /// What may have been paused is over.
    func ended() { state.withLock { $0.hasEnded = true } }

    /// Returns when a commit stands still, or what it is waited for is over; whether it stands still.
    func isPaused() async -> Bool {
        while !Task.isCancelled {
            let (hasHappened, hasEnded) = state.withLock { ($0.hasHappened, $0.hasEnded) }
            if hasHappened || hasEnded { return hasHappened }
            // Throws on cancellation only, and then the loop ends.
            try? await Task.sleep(for: .milliseconds(1))
        }
        return false
    }

    func isLost(at moment: LossOnDemand.Moment) -> Bool {
        let (loses, gate) = state.withLock { state -> (Bool, DispatchSemaphore?) in
            if moment == .beforeCommit { state.commits += 1 }
            switch state.plan {
            case .lose(moment, state.commits) where !state.hasHappened:
                state.hasHappened = true
                return (true, nil)
            case .pause(state.commits) where moment == .beforeCommit && !state.hasHappened:
                state.hasHappened = true
                return (false, state.gate)
            default: return (false, nil)
            }
        }
        // A time-out goes on, too: the test finds out what comes of it.
        _ = gate?.wait(timeout: .now() + Self.patience)
        return loses
    }
}
