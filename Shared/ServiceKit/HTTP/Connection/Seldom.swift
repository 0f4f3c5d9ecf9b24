import Synchronization

/// True at most once in a while: for a line in the log about what may happen a thousand times a second.
struct Seldom: ~Copyable, Sendable {
    private static let interval: Duration = .seconds(10)
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    /// Whether it has been long enough since this was true.
    func isDue() -> Bool {
        let now = ContinuousClock.now
        return last.withLock { last in
            if let last, now - last < Self.interval { return false }
            last = now
            return true
        }
    }
}
