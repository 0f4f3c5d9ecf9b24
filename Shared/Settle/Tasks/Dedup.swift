/// What is known of a task before its database is asked. A fast path only: it may know nothing at any time.
enum DedupRecord: Sendable, Equatable {
    /// Nobody has it, or nothing is known.
    case unknown
    /// This process has it in hand.
    case inHandHere
    /// Another process has it in hand.
    case inHandElsewhere
    /// It was decided.
    case done(TaskAnswer)
}

/// What to do with a delivery.
enum DedupVerdict: Sendable, Equatable {
    /// Let the database decide.
    case apply
    /// Only answer again.
    case answer(TaskAnswer)
    /// Acknowledge and forget it: another consumer has the same message.
    case drop

    /// A copy that another consumer has in hand may go: if that consumer dies, the broker redelivers *its* copy. And a
    /// redelivered one is never dropped, for it may be just that.
    init(_ record: DedupRecord, redelivered: Bool) {
        switch record {
        case .unknown, .inHandHere: self = .apply
        case .inHandElsewhere: self = redelivered ? .apply : .drop
        case .done(let answer): self = .answer(answer)
        }
    }
}

/// A store that remembers for a while which tasks are in hand and which are done.
protocol DedupCache: Sendable {
    /// Takes each key in hand unless it is known already; says what was known before. Never fails: knows nothing then.
    func take(_ keys: [String]) async -> [DedupRecord]
    /// Remembers what was decided. Never fails: forgets then.
    func done(_ decided: [(key: String, answer: TaskAnswer)]) async
}
