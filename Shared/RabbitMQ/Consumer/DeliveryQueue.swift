import Synchronization

/// Where the handlers, the service's owner and the connection's thread meet.
final class DeliveryQueue: Sendable {
    /// How a handler ended.
    struct Result: Sendable {
        /// The place of its subscription.
        var index: Int
        /// How many messages its batch had.
        var messages: Int
        var succeeded: Bool
    }

    private struct State {
        var isUp = false
        var results: [Result] = []
        var stopBy: ContinuousClock.Instant?
        /// Wakes the thread; nil while there is none.
        var wake: WakePipe?
    }

    private let state = Mutex(State())

    var isUp: Bool { state.withLock(\.isUp) }

    /// When the shutdown has to be over; nil while none was asked for.
    var stopBy: ContinuousClock.Instant? { state.withLock(\.stopBy) }

    func handled(_ result: Result) {
        state.withLock { state in
            state.results.append(result)
            return state.wake
        }?.signal()
    }

    /// Ends the subscriptions and gives the handlers that run until `deadline`.
    func stop(by deadline: ContinuousClock.Instant) {
        state.withLock { state in
            state.stopBy = min(state.stopBy ?? deadline, deadline)
            return state.wake
        }?.signal()
    }

    // The rest is the thread's side.

    /// False when there is a thread already.
    func attach(_ wake: WakePipe) -> Bool {
        state.withLock { state in
            guard state.wake == nil else { return false }
            state.wake = wake
            return true
        }
    }

    func take() -> [Result] {
        state.withLock { state in
            defer { state.results = [] }
            return state.results
        }
    }

    func setUp(_ isUp: Bool) {
        state.withLock { $0.isUp = isUp }
    }
}
