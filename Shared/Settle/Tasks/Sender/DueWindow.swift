import SettleCore

/// How far back a look for due tasks goes. Pure.
///
/// An answered task is deleted, yet it stays in the index of what is due until PostgreSQL may clear it up; while somebody keeps
/// a snapshot open it may not, for hours perhaps. A look from the beginning passes all of these: 100 ms for 400,000. So that is
/// done only as often as costs little, which is every time where there are few; otherwise a look goes back to where the last
/// one came to.
///
/// What a look in between cannot see, the next one from the beginning finds: what was due long before its transaction
/// committed, or was held by somebody who then rolled back, or was given an earlier time by hand.
struct DueWindow: Sendable {
    /// How much later than it is due a task may come to be seen: its transaction commits, or the look waits for a connection.
    static let overlap: Duration = .seconds(5)

    private var whole = CostShare()
    /// What was due by then has been looked at.
    private var seen: ContinuousClock.Instant?

    /// How far back from now a look goes; nil: to the beginning.
    func reach(at now: ContinuousClock.Instant) -> Duration? {
        guard let seen, !whole.allows(at: now) else { return nil }
        return now - seen + Self.overlap
    }

    /// There was a look.
    ///
    /// - Parameters:
    ///   - reach: how far back it went.
    ///   - age: how long the last task that it came to was due, if it did not come to the end.
    mutating func looked(
        _ reach: Duration?, from begin: ContinuousClock.Instant, to end: ContinuousClock.Instant, upTo age: Duration?
    ) {
        if reach == nil { whole.took(from: begin, to: end) }
        seen = begin - (age ?? .zero)
    }
}
