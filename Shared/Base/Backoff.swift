/// Capped exponential back-off with jitter: how long to wait before try number `attempt`.
///
/// The jitter takes up to `jitter` of the delay away at random, so that many processes that lost the same server
/// do not return to it in step ("equal jitter" when `jitter` is 0.5; see Marc Brooker, "Exponential Backoff And
/// Jitter", AWS Architecture Blog, 2015).
public struct Backoff: Sendable, Equatable {
    /// The delay before the second try, without jitter.
    public let initial: Duration
    /// No delay is longer than this.
    public let cap: Duration
    /// Each delay is the one before, times this.
    public let multiplier: Double
    /// The part of a delay, from 0 to 1, that chance may take away.
    public let jitter: Double

    /// - Precondition: `0 < initial <= cap`, `multiplier >= 1`, `0 <= jitter <= 1`.
    public init(initial: Duration, cap: Duration, multiplier: Double = 2, jitter: Double = 0.5) {
        precondition(initial > .zero && initial <= cap, "a back-off needs 0 < initial <= cap")
        precondition(multiplier >= 1 && (0...1).contains(jitter))
        self.initial = initial
        self.cap = cap
        self.multiplier = multiplier
        self.jitter = jitter
    }

    /// The delay after `attempt` failures, counted from 1.
    public func delay(attempt: Int) -> Duration {
        delay(attempt: attempt, random: Double.random(in: 0..<1))
    }

    /// The same with the chance given, from 0 up to 1; pure, for tests.
    public func delay(attempt: Int, random: Double) -> Duration {
        var delay = initial
        var remaining = max(attempt, 1) - 1
        while remaining > 0, delay < cap {
            delay = delay * multiplier
            remaining -= 1
        }
        return min(delay, cap) * (1 - jitter * random)
    }
}
