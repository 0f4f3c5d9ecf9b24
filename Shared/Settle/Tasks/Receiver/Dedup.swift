/// What is said of a task before its database is asked. A hint only: it may know nothing at any time, and whoever can
/// write to the cache can make it say anything. So it chooses nothing but what is done first, and no message is answered
/// or dropped because of it.
enum DedupRecord: Sendable, Equatable {
    /// Nobody has it, or nothing is known: most probably new, so it is applied at once.
    case unknown
    /// This process has it in hand: a batch that comes again.
    case inHandHere
    /// Another process has it in hand.
    case inHandElsewhere
    /// It was decided.
    case decided

    /// Whether it is most probably a duplicate: then a look at the database comes first, which locks nothing. What the
    /// database does not know is applied all the same.
    var saysLookFirst: Bool {
        switch self {
        case .unknown, .inHandHere: false
        case .inHandElsewhere, .decided: true
        }
    }
}

/// A store that remembers for a while which tasks are in hand and which are decided.
protocol DedupCache: Sendable {
    /// Takes each key in hand unless it is known already; says what was known before. Never fails: knows nothing then.
    func take(_ keys: [String]) async -> [DedupRecord]
    /// Remembers that these are decided. Never fails: forgets then.
    func decided(_ keys: [String]) async
}
