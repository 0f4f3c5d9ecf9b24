import SettleCore

/// Lets something happen only as often as takes one part in a hundred of the time, however long it takes. Pure.
struct CostShare: Sendable {
    private static let parts = 100
    /// It happens at least as often.
    private static let longestPause: Duration = .seconds(60)

    private var next: ContinuousClock.Instant?

    /// Whether it may happen now.
    func allows(at now: ContinuousClock.Instant) -> Bool { next.map { $0 <= now } ?? true }

    /// It happened.
    mutating func took(from begin: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        next = end + min((end - begin) * Self.parts, Self.longestPause)
    }
}
