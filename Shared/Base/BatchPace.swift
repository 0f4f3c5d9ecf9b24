/// How long somebody who works in batches rests after one, so that the next is larger.
///
/// Much of what a batch costs is the same for one item as for fifty: threads, processes and a disk that it wakes. So after a
/// batch it is waited for as long again as the batch took. What comes after a time without work is done at once, and so
/// is what has gathered in plenty: only who comes close behind another waits, by half of the time at most.
public struct BatchPace: Sendable, Equatable {
    /// Of so many items at once, each costs hardly less than of more.
    public static let plenty = 64
    /// No rest is longer, however long the batch took: it may have waited for others.
    public static let longest: Duration = .milliseconds(20)

    private var restsUntil: ContinuousClock.Instant?

    /// It has done nothing yet.
    public init() {}

    /// Notes that a batch has ended.
    ///
    /// - Parameters:
    ///   - now: when it ended.
    ///   - began: when it began.
    public mutating func ended(at now: ContinuousClock.Instant, began: ContinuousClock.Instant) {
        restsUntil = now + Self.rest(after: now - began)
    }

    /// When the next batch may begin; nil: whenever.
    ///
    /// - Parameter gathered: how many items there are for it.
    public func begin(with gathered: Int) -> ContinuousClock.Instant? { gathered < Self.plenty ? restsUntil : nil }

    /// Rests after a batch; does not where there is plenty for the next one. Ends early when the task is cancelled.
    ///
    /// - Parameters:
    ///   - began: when the batch began that has just ended.
    ///   - gathered: how many items there are for the next one.
    public static func rest(since began: ContinuousClock.Instant, gathered: Int) async {
        guard gathered < plenty else { return }
        // Cancelled, whoever rests has an end of its own to see.
        try? await Task.sleep(for: rest(after: .now - began))
    }

    private static func rest(after took: Duration) -> Duration { min(max(took, .zero), longest) }
}
