/// When the requests of a run begin, whoever is free to send them. Times count from the run's beginning.
struct Schedule: Sendable {
    /// Who decides when the next request begins.
    enum Pace: Sendable, Hashable, Codable {
        /// A number of clients, each as soon as it has its answer.
        case closed(clients: Int)
        /// The clock, whatever became of those before.
        case open(perSecond: Int)
    }

    private let pace: Pace
    private let duration: Duration
    private let limit: Int
    private var taken = 0

    /// - Parameter limit: how many requests there are at most.
    init(_ pace: Pace, for duration: Duration, limit: Int = .max) {
        self.pace = pace
        self.duration = duration
        self.limit = limit
    }

    /// Takes the next request if it is due at `now`: when it was meant to begin, which latency is measured from. One that
    /// found nobody free keeps its time: so what waited counts as waiting, and not as a request that was never made
    /// ("coordinated omission").
    mutating func take(at now: Duration) -> Duration? {
        guard let due = due(at: now), due <= now else { return nil }
        taken += 1
        return due
    }

    /// When the next request is due; nil when none comes any more.
    func due(at now: Duration) -> Duration? {
        guard taken < limit else { return nil }
        let due =
            switch pace {
            case .closed: now
            case .open(let perSecond): .seconds(1) * taken / perSecond
            }
        return due < duration ? due : nil
    }
}
