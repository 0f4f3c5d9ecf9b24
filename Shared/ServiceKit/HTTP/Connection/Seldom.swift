import Synchronization

/// True at most once in a while: for a line in the log about what may happen a thousand times a second.
struct Seldom: ~Copyable, Sendable {
    private let interval: Duration
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    init(every interval: Duration = .seconds(10)) { self.interval = interval }

    /// Whether it has been long enough since this was true.
    func isDue() -> Bool {
        let now = ContinuousClock.now
        return last.withLock { last in
            if let last, now - last < interval { return false }
            last = now
            return true
        }
    }
}
