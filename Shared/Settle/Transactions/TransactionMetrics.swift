import Metrics

/// What an operator watches of an initiator.
struct InitiatorMetrics: Sendable {
    private let committedCounter = Counter(label: "settle_transactions_total", dimensions: [("decision", "commit")])
    private let abortedCounter = Counter(label: "settle_transactions_total", dimensions: [("decision", "abort")])
    private let acknowledgedCounter = Counter(label: "settle_transactions_acknowledged_total")
    private let toldAgainCounter = Counter(label: "settle_decisions_told_again_total")

    private let unresolvedGauge = Gauge(label: "settle_transactions_unresolved")

    func committed(_ count: Int) { committedCounter.increment(by: count) }
    func rolledBack() { abortedCounter.increment() }
    func acknowledged(_ count: Int) { acknowledgedCounter.increment(by: count) }
    /// Decisions that a scan has found unconfirmed.
    func toldAgain(_ count: Int) { toldAgainCounter.increment(by: count) }
    func unresolved(_ count: Int) { unresolvedGauge.record(count) }
}

/// What an operator watches of a participant.
struct ParticipantMetrics: Sendable {
    private let performed = Counter(label: "settle_branches_total", dimensions: [("event", "performed")])
    private let repeated = Counter(label: "settle_branches_total", dimensions: [("event", "repeated")])
    private let refused = Counter(label: "settle_branches_total", dimensions: [("event", "refused")])
    private let locked = Counter(label: "settle_branches_total", dimensions: [("event", "locked")])
    private let committed = Counter(label: "settle_branches_total", dimensions: [("event", "committed")])
    private let rolledBack = Counter(label: "settle_branches_total", dimensions: [("event", "rolled_back")])
    private let checkBacks = Counter(label: "settle_check_backs_total")
    private let undecided = Gauge(label: "settle_branches_undecided")
    private let unknownCommits = Counter(label: "settle_commits_unknown_total")
    private let ownerlessRows = Gauge(label: "settle_rows_held_unknown")
    private let resourceFailures = Counter(label: "settle_resource_failures_total")
    private let stuck = Gauge(label: "settle_branches_stuck")
    private let unresolved = Gauge(label: "settle_branches_unresolved")
    private let oldest = Gauge(label: "settle_branch_oldest_age_seconds")

    enum Event { case performed, repeated, refused, locked }

    func event(_ event: Event) {
        switch event {
        case .performed: performed.increment()
        case .repeated: repeated.increment()
        case .refused: refused.increment()
        case .locked: locked.increment()
        }
    }

    func ended(_ count: Int, verdict: Verdict) {
        (verdict == .commit ? committed : rolledBack).increment(by: count)
    }

    func checkedBack(_ count: Int) { checkBacks.increment(by: count) }

    /// So many branches' resources could not be told their end, this time.
    func resourceFailed(_ count: Int) { resourceFailures.increment(by: count) }

    /// Told to commit what no branch knows.
    func committedUnknown() { unknownCommits.increment() }

    /// So many rows are held for transactions of which no branch is undecided.
    func held(ownerless: Int) { ownerlessRows.record(ownerless) }

    /// - Parameters:
    ///   - stuck: those of them that could not be ended.
    ///   - unresolved: those, prepared ones too, whose initiator configuration does not know.
    ///   - oldest: since the oldest part was done that waits, prepared ones too.
    func undecided(_ count: Int, stuck: Int, unresolved: Int, oldest: Duration) {
        undecided.record(count)
        self.stuck.record(stuck)
        self.unresolved.record(unresolved)
        self.oldest.record(oldest / .seconds(1))
    }
}
