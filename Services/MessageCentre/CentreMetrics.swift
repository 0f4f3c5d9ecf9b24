import Metrics
import Settle
import SettleHTTP

/// What an operator watches of the centre, beside what every sender of tasks shows.
struct CentreMetrics: Sendable {
    private let prepares = Counter(label: "settle_centre_prepared_total")
    private let repeats = Counter(label: "settle_centre_prepared_again_total")
    private let differing = Counter(label: "settle_centre_differing_total")
    private let confirms = Counter(label: "settle_centre_confirmed_total")
    private let discards = Counter(label: "settle_centre_discarded_total")
    private let done = CentreMetrics.checks("done")
    private let notDone = CentreMetrics.checks("not_done")
    private let undecided = CentreMetrics.checks("undecided")
    private let unanswered = CentreMetrics.checks("no_answer")

    private static func checks(_ answer: String) -> Counter {
        Counter(label: "settle_centre_checks_total", dimensions: [("answer", answer)])
    }

    func prepared(_ results: [Preparation]) {
        prepares.increment(by: results.count { $0 == .prepared })
        repeats.increment(by: results.count { $0 == .known })
        differing.increment(by: results.count { $0 == .differs })
    }

    func confirmed(_ count: Int) { confirms.increment(by: count) }
    func discarded(_ count: Int) { discards.increment(by: count) }

    func checked(_ verdict: MessageVerdict, _ count: Int) {
        switch verdict {
        case .done: done.increment(by: count)
        case .notDone: notDone.increment(by: count)
        case .undecided: undecided.increment(by: count)
        }
    }

    func unanswered(_ count: Int) { unanswered.increment(by: count) }
}
