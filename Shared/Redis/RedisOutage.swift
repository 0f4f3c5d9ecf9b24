import SettleCore

/// When to try again after Redis went away, and which of it to log; a pure value.
///
/// A session shorter than `goodSession` belongs to the outage before it: a Redis that greets well and then refuses all
/// else is not tried without a pause.
struct RedisOutage {
    static let goodSession: Duration = .seconds(10)
    private static let backoff = Backoff(initial: .milliseconds(50), cap: .seconds(3))

    private var failures = 0
    /// The last line that was logged says that Redis is away, or there is none yet.
    private var saysAway = true

    /// A connection is up; true when that is worth a line: the last one says otherwise.
    mutating func began() -> Bool {
        defer { saysAway = false }
        return saysAway
    }

    /// A session ended that served for `served`, or none came about (nil).
    ///
    /// `isWorthALine`: once per outage, and, where it comes and goes, at the 2nd, 4th, 8th … time.
    mutating func ended(afterServing served: Duration?) -> (delay: Duration, isWorthALine: Bool) {
        let wasGood = served.map { $0 >= Self.goodSession } ?? false
        failures = wasGood ? 1 : failures + 1
        let isFlapping = served != nil && failures.nonzeroBitCount == 1
        let isWorthALine = failures == 1 || isFlapping
        saysAway = saysAway || isWorthALine
        return (Self.backoff.delay(attempt: failures), isWorthALine)
    }
}
