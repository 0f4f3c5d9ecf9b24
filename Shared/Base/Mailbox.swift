import Synchronization

/// A bounded buffer that many tasks put into and one task empties: what gathered while it was busy is its next batch.
public final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var waiter: CheckedContinuation<Void, Never>?
        var isClosed = false

        mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
            defer { waiter = nil }
            return waiter
        }
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: how many elements it holds at most.
    public init(capacity: Int) {
        self.capacity = capacity
    }

    /// How many elements are waiting.
    public var count: Int { state.withLock { $0.elements.count } }

    /// Puts in as many of `elements` as there is room for, in order; returns how many that was.
    @discardableResult
    public func offer(contentsOf elements: some Collection<Element>) -> Int {
        let (taken, waiter) = state.withLock { state -> (Int, CheckedContinuation<Void, Never>?) in
            guard !state.isClosed else { return (0, nil) }
            let taken = min(elements.count, capacity - state.elements.count)
            state.elements.append(contentsOf: elements.prefix(taken))
            guard taken > 0 else { return (0, nil) }
            return (taken, state.takeWaiter())
        }
        waiter?.resume()
        return taken
    }

    /// Puts in one element; false when there is no room.
    @discardableResult
    public func offer(_ element: Element) -> Bool {
        offer(contentsOf: CollectionOfOne(element)) == 1
    }

    /// Waits until something is there and takes it all, or the first `limit` of it.
    ///
    /// One task at a time may take. Empty when the mailbox was closed and is drained, or the task was cancelled.
    public func take(atMost limit: Int = .max) async -> [Element] {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state in
                    guard state.elements.isEmpty, !state.isClosed, !Task.isCancelled else { return true }
                    precondition(state.waiter == nil, "a mailbox has one reader")
                    state.waiter = continuation
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.takeWaiter() }?.resume()
        }
        return state.withLock { state in
            let batch = Array(state.elements.prefix(limit))
            state.elements.removeFirst(batch.count)
            return batch
        }
    }

    /// Takes nothing more in, and lets the reader go once what is there has been taken.
    public func close() {
        state.withLock { state in
            state.isClosed = true
            return state.takeWaiter()
        }?.resume()
    }
}
