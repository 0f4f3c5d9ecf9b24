import Synchronization

/// Lets one task wait until a number of threads have ended.
final class Latch: Sendable {
    private struct State {
        var count: Int
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    init(count: Int) {
        state = Mutex(State(count: count))
    }

    func countDown() {
        let waiter = state.withLock { state in
            state.count -= 1
            return state.count == 0 ? state.waiter.take() : nil
        }
        waiter?.resume()
    }

    /// Waits whatever happens, cancellation too: the threads are told by other means.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.count > 0 { state.waiter = continuation }
                return state.count == 0
            }
            if isOver { continuation.resume() }
        }
    }
}
