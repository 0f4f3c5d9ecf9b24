import Synchronization

/// Where the callers of `publish` and the connection's thread meet.
final class PublishQueue: Sendable {
    private enum Status {
        case down(reason: String)
        case up
        case blocked(reason: String)
    }

    private struct State {
        var status = Status.down(reason: "not connected yet")
        var requests: [PublishRequest] = []
        /// Messages taken in and not sent yet.
        var waiting = 0
        /// Of the messages taken in that have no outcome yet, and of their neighbours of one call.
        var bytes = 0
        var stopBy: ContinuousClock.Instant?
        /// Wakes the thread; nil while there is none.
        var wake: WakePipe?
    }

    private let maxWaiting: Int
    private let maxBytes: Int
    private let state = Mutex(State())

    init(maxWaiting: Int, maxBytes: Int) {
        self.maxWaiting = maxWaiting
        self.maxBytes = maxBytes
    }

    var isUp: Bool {
        state.withLock { state in
            if case .down = state.status { false } else { true }
        }
    }

    var isBlocked: Bool {
        state.withLock { state in
            if case .blocked = state.status { true } else { false }
        }
    }

    /// Takes the request in, or says why not.
    func offer(_ request: PublishRequest) -> String? {
        let (refusal, wake) = state.withLock { state -> (String?, WakePipe?) in
            if let refusal = self.refusal(of: request, state) { return (refusal, nil) }
            state.waiting += request.count
            state.bytes += request.bytes
            state.requests.append(request)
            return (nil, state.wake)
        }
        wake?.signal()
        return refusal
    }

    private func refusal(of request: PublishRequest, _ state: State) -> String? {
        switch state.status {
        case .down(let reason): return reason
        case .blocked(let reason): return "blocked by the broker: \(reason)"
        case .up: break
        }
        if state.stopBy != nil { return "shutting down" }
        // A request bigger than a bound is taken when nothing else is there, or it never would be.
        guard state.waiting == 0 || state.waiting + request.count <= maxWaiting else {
            return "too many messages wait to be published"
        }
        guard state.bytes == 0 || state.bytes + request.bytes <= maxBytes else {
            return "too many bytes wait to be published or confirmed"
        }
        return nil
    }

    /// Refuses new requests from now on and gives those taken in until `deadline`.
    func stop(by deadline: ContinuousClock.Instant) {
        state.withLock { state in
            state.stopBy = min(state.stopBy ?? deadline, deadline)
            return state.wake
        }?.signal()
    }

    /// When the shutdown has to be over; nil while none was asked for.
    var stopBy: ContinuousClock.Instant? { state.withLock(\.stopBy) }

    // The rest is the thread's side.

    /// Whether all that was taken in has been fetched.
    var isEmpty: Bool { state.withLock(\.requests.isEmpty) }

    /// False when there is a thread already.
    func attach(_ wake: WakePipe) -> Bool {
        state.withLock { state in
            guard state.wake == nil else { return false }
            state.wake = wake
            return true
        }
    }

    func take() -> [PublishRequest] {
        state.withLock { state in
            defer { state.requests = [] }
            return state.requests
        }
    }

    /// `count` of the messages wait no longer.
    func sent(_ count: Int) {
        state.withLock { $0.waiting -= count }
    }

    /// A request of so many bytes has all its outcomes.
    func released(_ bytes: Int) {
        state.withLock { $0.bytes -= bytes }
    }

    func up() {
        state.withLock { $0.status = .up }
    }

    func blocked(reason: String) {
        state.withLock { $0.status = .blocked(reason: reason) }
    }

    /// Refuses from now on; what was taken in and not fetched comes back, to be told so.
    func down(reason: String) -> [PublishRequest] {
        state.withLock { state in
            state.status = .down(reason: reason)
            defer { state.requests = [] }
            return state.requests
        }
    }
}
