import Synchronization

/// A call that one task waits for, for a limited time. A call that comes before the wait is not lost.
public final class Wakeup: Sendable {
    private struct State {
        var isCalled = false
        var waits: UInt64 = 0
        /// The wait that is going on. Whatever ends a wait names it, so that what comes late ends no other.
        var current: Wait?
    }

    private struct Wait {
        let number: UInt64
        /// Its time was over, or its task cancelled, before it had a continuation: nothing is left to wait for.
        var isOver = false
        var continuation: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Not called yet.
    public init() {}

    /// Lets go whoever waits, or else the next one who does.
    public func call() {
        state.withLock { state in
            state.isCalled = true
            return state.current?.continuation.take()
        }?.resume()
    }

    /// Returns at a call, after `limit`, or when the task is cancelled; answers whether there was a call. With a limit of
    /// zero or below it only looks.
    @discardableResult
    public func wait(atMost limit: Duration) async -> Bool {
        guard let number = begin(mayWait: limit > .zero && !Task.isCancelled) else { return takeCall() }
        let timer = Task {
            // Cancelled when it is not needed any more.
            try? await Task.sleep(for: limit)
            end(number)
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isCalled || state.current?.isOver != false { return true }
                    state.current?.continuation = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            end(number)
        }
        return takeCall()
    }

    /// The number of a new wait; `nil` when there was a call already, or there is no time for one.
    private func begin(mayWait: Bool) -> UInt64? {
        state.withLock { state in
            guard mayWait, !state.isCalled else { return nil }
            precondition(state.current == nil, "a wake-up has one waiter")
            state.waits += 1
            state.current = Wait(number: state.waits)
            return state.waits
        }
    }

    private func end(_ number: UInt64) {
        state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.current?.number == number else { return nil }
            state.current?.isOver = true
            return state.current?.continuation.take()
        }?.resume()
    }

    private func takeCall() -> Bool {
        state.withLock { state in
            state.current = nil
            defer { state.isCalled = false }
            return state.isCalled
        }
    }
}
