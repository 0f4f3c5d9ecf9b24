/// Remembers for a short time, and of at most so many keys, that something is so.
///
/// For what costs a question to somebody else and may be known a little late. Where there is no more room all is
/// forgotten, and asked again: that is rare, and costs the same however much there was.
public struct ShortMemory<Key: Hashable & Sendable>: Sendable {
    private let lifetime: Duration
    private let limit: Int
    private var asked: [Key: ContinuousClock.Instant] = [:]

    /// - Parameters:
    ///   - lifetime: how long after the question its answer counts.
    ///   - limit: how many keys are remembered at once.
    public init(lifetime: Duration, limit: Int) {
        precondition(limit > 0)
        self.lifetime = lifetime
        self.limit = limit
    }

    /// How many keys take up room, those that no longer count among them.
    var count: Int { asked.count }

    /// Whether `key` is remembered, and still counts.
    public func holds(_ key: Key, at now: ContinuousClock.Instant) -> Bool {
        asked[key].map { now < $0 + lifetime } ?? false
    }

    /// Remembers `key`.
    ///
    /// - Parameters:
    ///   - key: what is to be remembered.
    ///   - time: when it was asked about. The answer came later, but it may have ceased to be so since.
    public mutating func insert(_ key: Key, askedAt time: ContinuousClock.Instant) {
        if asked.count >= limit, asked[key] == nil { asked.removeAll(keepingCapacity: true) }
        asked[key] = time
    }
}
