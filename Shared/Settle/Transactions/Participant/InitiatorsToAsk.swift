import SettleCore

/// Whom a participant may ask now about its undecided branches. Pure.
///
/// One question at a time to each initiator, and after a failure a pause that grows: an initiator that is away gets a
/// question now and then, not one for each branch, and one that is slow keeps nobody from asking the others.
struct InitiatorsToAsk: Sendable {
    private struct Failed: Sendable {
        var count: Int
        var until: ContinuousClock.Instant
    }

    private var asked: Set<String> = []  // ours
    private var failed: [String: Failed] = [:]  // ours
    private let backoff: Backoff

    init(backoff: Backoff) {
        self.backoff = backoff
    }

    /// Those to leave alone at `now`.
    func excluded(now: ContinuousClock.Instant) -> Set<String> {  // ours
        asked.union(failed.filter { $0.value.until > now }.keys)
    }

    mutating func ask(_ initiator: String) { asked.insert(initiator) }

    mutating func answered(_ initiator: String) {
        asked.remove(initiator)
        failed[initiator] = nil
    }

    mutating func failed(_ initiator: String, now: ContinuousClock.Instant) {
        asked.remove(initiator)
        let count = (failed[initiator]?.count ?? 0) + 1
        failed[initiator] = Failed(count: count, until: now + backoff.delay(attempt: count))
    }
}
