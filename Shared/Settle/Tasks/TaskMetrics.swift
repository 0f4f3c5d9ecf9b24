import Metrics
import SettleRabbitMQ

/// What an operator watches of a sender.
struct SenderMetrics: Sendable {
    private let pending = Gauge(label: "settle_tasks_pending")
    private let parked = Gauge(label: "settle_tasks_parked")
    private let oldest = Gauge(label: "settle_task_oldest_age_seconds")
    private let delayed = Gauge(label: "settle_tasks_delayed")
    private let waiting = Gauge(label: "settle_tasks_waiting")
    private let oldestWaiting = Gauge(label: "settle_task_waiting_age_seconds")
    private let heldLines = Gauge(label: "settle_task_lines_held")
    private let paused = Gauge(label: "settle_tasks_paused")
    private let pausedTypes = Gauge(label: "settle_task_types_paused")
    private let oldestPause = Gauge(label: "settle_task_pause_age_seconds")
    private let published = Counter(label: "settle_tasks_published_total")
    private let republished = Counter(label: "settle_tasks_republished_total")
    private let confirmed = Counter(label: "settle_tasks_confirmed_total")
    private let returned = Counter(label: "settle_tasks_returned_total")
    private let nacked = Counter(label: "settle_tasks_nacked_total")
    private let lost = Counter(label: "settle_tasks_lost_total")
    private let notSent = Counter(label: "settle_tasks_not_sent_total")
    private let finished = Counter(label: "settle_tasks_finished_total")
    private let rejected = Counter(label: "settle_tasks_rejected_total")
    private let answersIgnored = Counter(label: "settle_answers_ignored_total")
    private let answersForeign = Counter(label: "settle_answers_foreign_total")
    private let settled = Timer(label: "settle_task_commit_to_archive")

    func sending(_ tasks: [OutgoingTask]) {
        published.increment(by: tasks.count)
        let again = tasks.count { $0.attempts > 1 }
        if again > 0 { republished.increment(by: again) }
    }

    func outcome(_ outcome: PublishOutcome) {
        switch outcome {
        case .confirmed: confirmed.increment()
        case .returned: returned.increment()
        case .nacked: nacked.increment()
        case .lost: lost.increment()
        case .notSent: notSent.increment()
        }
    }

    func answered(_ tasks: [AnsweredTask], of answers: Int) {
        for task in tasks {
            settled.recordSeconds(task.age)
            if case .rejected = task.answer { rejected.increment() } else { finished.increment() }
        }
        // Repeated answers, and answers for tasks of another database.
        if answers > tasks.count { answersIgnored.increment(by: answers - tasks.count) }
    }

    /// Of those ignored, the ones that name a live task and are surely for another.
    func foreign(_ count: Int) {
        answersForeign.increment(by: count)
    }

    func backlog(_ backlog: TaskBacklog) {
        pending.record(backlog.pending)
        parked.record(backlog.parked)
        oldest.record(backlog.oldestAge)
        delayed.record(backlog.delayed)
        waiting.record(backlog.waiting)
        oldestWaiting.record(backlog.oldestWaitingAge)
        heldLines.record(backlog.heldLines)
        paused.record(backlog.paused)
        pausedTypes.record(backlog.pausedTypes)
        oldestPause.record(backlog.oldestPauseAge)
    }
}

/// What an operator watches of tasks that nobody answers.
struct GivenUpMetrics: Sendable {
    private let dropped = Counter(label: "settle_tasks_expired_total", dimensions: [("then", "drop")])
    private let parked = Counter(label: "settle_tasks_expired_total", dimensions: [("then", "park")])
    private let discarded = Counter(label: "settle_tasks_discarded_total")
    private let late = Counter(label: "settle_tasks_answered_late_total")

    func expired(dropped count: Int, parked parkedCount: Int) {
        if count > 0 { dropped.increment(by: count) }
        if parkedCount > 0 { parked.increment(by: parkedCount) }
    }

    func discarded(_ count: Int) {
        if count > 0 { discarded.increment(by: count) }
    }

    func late(_ count: Int) { late.increment(by: count) }
}

/// What an operator watches of a receiver.
struct ReceiverMetrics: Sendable {
    private let applied: Counter
    private let duplicate: Counter
    private let rejected: Counter
    private let conflict: Counter
    private let inHandElsewhere: Counter
    private let wronglyDecided: Counter
    private let unsentAnswers: Counter

    init(taskType: String) {
        func counter(_ outcome: String) -> Counter {
            Counter(label: "settle_inbox_total", dimensions: [("task_type", taskType), ("outcome", outcome)])
        }
        applied = counter("applied")
        duplicate = counter("duplicate")
        rejected = counter("rejected")
        conflict = counter("conflict")
        inHandElsewhere = counter("in_hand_elsewhere")
        wronglyDecided = Counter(label: "settle_dedup_wrong_total", dimensions: [("task_type", taskType)])
        unsentAnswers = Counter(label: "settle_answers_unsent_total", dimensions: [("task_type", taskType)])
    }

    func unsent() { unsentAnswers.increment() }

    func outcome(_ outcome: TaskOutcome) {
        switch outcome {
        case .applied, .answered: applied.increment()
        case .rejected: rejected.increment()
        case .duplicate: duplicate.increment()
        case .conflict: conflict.increment()
        }
    }

    func hint(_ record: DedupRecord) {
        if record == .inHandElsewhere { inHandElsewhere.increment() }
    }

    /// Redis said that it was decided, and it was applied just now.
    func hintWasWrong() {
        wronglyDecided.increment()
    }
}
