import Synchronization

/// A call that one task waits for, for a limited time. A call that comes before the wait is not lost.
public final class Wakeup: Sendable {
    private struct State {
        var isCalled = false
        var continuation: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Not called yet.
    public init() {}

    /// Lets go whoever waits, or else the next one who does.
    public func call() {
        state.withLock { state in
            state.isCalled = true
            defer { state.continuation = nil }
            return state.continuation
        }?.resume()
    }

    /// Returns at a call, after `limit`, or when the task is cancelled; answers whether there was a call.
    @discardableResult
    public func wait(atMost limit: Duration) async -> Bool {
        let timer = Task {
            // Cancelled when it is not needed any more.
            try? await Task.sleep(for: limit)
            if !Task.isCancelled { release() }
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if !state.isCalled, !Task.isCancelled { state.continuation = continuation }
                    return state.isCalled || Task.isCancelled
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            release()
        }
        return state.withLock { state in
            defer { state.isCalled = false }
            return state.isCalled
        }
    }

    private func release() {
        state.withLock { state in
            defer { state.continuation = nil }
            return state.continuation
        }?.resume()
    }
}
