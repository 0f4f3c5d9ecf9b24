/// What may mend a fault, as the services count it.
enum Evidence: String, CaseIterable, Encodable, Sendable {
    /// Copies that the broker delivered again.
    case redelivered
    /// Of these, what was done before, and was answered again.
    case duplicates
    /// Tasks that were sent again when they came due.
    case republished
    /// Messages that the broker was not there to take, or did not confirm: they stay due.
    case notSent
    /// Questions of participants to the initiator.
    case checkBacks
    /// Branches whose decision the initiator told again.
    case toldAgain
    /// Calls of the first phase that had been carried out before.
    case branchesAgain
    /// Parts that were undone.
    case rolledBack
    /// Messages that a producer prepared again.
    case preparedAgain
    /// Questions of the message centre to a producer.
    case centreChecks
    /// Times that Redis was given up for a while.
    case redisOutages
    /// Processes that began anew, and took over what they found.
    case restarts
    /// Requests that a client sent again with the same key.
    case askedAgain

    /// The counter that says so, and a label that it must have.
    private var counter: (name: String, label: String?)? {
        switch self {
        case .redelivered: ("rabbitmq_redelivered_messages_total", nil)
        case .duplicates: ("settle_inbox_total", #"outcome="duplicate""#)
        case .republished: ("settle_tasks_republished_total", nil)
        case .notSent: ("rabbitmq_published_messages_total", #"outcome="not_sent""#)
        case .checkBacks: ("settle_check_backs_total", nil)
        case .toldAgain: ("settle_decisions_told_again_total", nil)
        case .branchesAgain: ("settle_branches_total", #"event="repeated""#)
        case .rolledBack: ("settle_branches_total", #"event="rolled_back""#)
        case .preparedAgain: ("settle_centre_prepared_again_total", nil)
        case .centreChecks: ("settle_centre_checks_total", nil)
        case .redisOutages: ("redis_outages_total", nil)
        case .restarts, .askedAgain: nil
        }
    }

    /// What a text of `/metrics` counts of each.
    static func counts(in text: String) -> [Evidence: Double] {
        var counts: [Evidence: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            for kind in allCases {
                guard let (name, label) = kind.counter, line.hasPrefix(name),
                    let next = line.dropFirst(name.count).first, next == "{" || next == " ",
                    label.map({ line.contains($0) }) ?? true, let value = line.split(separator: " ").last,
                    let count = Double(value)
                else { continue }
                counts[kind, default: 0] += count
            }
        }
        return counts
    }
}

/// What was seen of the services since a trial began. A counter begins anew with its process. Pure.
struct Observation: Sendable {
    struct Line: Encodable, Sendable, Equatable {
        let what: Evidence
        let service: String
        var count: Int
    }

    private var sums: [String: [Evidence: Double]] = [:]  // ours
    private var last: [String: Look.Service] = [:]  // ours
    private let baseline: Look

    init(_ first: Look) {
        baseline = first
        for (name, service) in first.services where service.process != nil { last[name] = service }
    }

    mutating func add(_ look: Look) {
        for (name, service) in look.services {
            guard let process = service.process else { continue }
            let before = last[name]
            let isNew = before?.process != process
            if isNew, before != nil { sums[name, default: [:]][.restarts, default: 0] += 1 }
            for (kind, count) in service.counts {
                sums[name, default: [:]][kind, default: 0] += max(0, count - (isNew ? 0 : before?.counts[kind] ?? 0))
            }
            var known = service
            // One that could not be asked has counted no less than before.
            if !isNew { known.counts.merge(before?.counts ?? [:]) { max($0, $1) } }
            known.inFlight = service.inFlight ?? before?.inFlight
            last[name] = known
        }
    }

    /// What was on its way when each was asked last; what there was at first is not counted.
    var inFlight: InFlight {
        last.reduce(into: InFlight()) { sum, service in
            guard let found = service.value.inFlight else { return }
            sum.orders += found.orders
            sum.tasks += found.tasks
            sum.decisions += found.decisions
            sum.branches += found.branches
            sum.messages += max(0, found.messages - (baseline.services[service.key]?.inFlight?.messages ?? 0))
        }
    }

    var mended: [Line] {
        sums.keys.sorted().flatMap { name in
            Evidence.allCases.compactMap { kind in
                guard let count = sums[name]?[kind], count >= 1 else { return nil }
                return Line(what: kind, service: name, count: Int(count))
            }
        }
    }
}

extension Look {
    /// Whether all are there and nothing is on its way, but for the messages that there were in `baseline`.
    func isIdle(since baseline: Look) -> Bool {
        services.allSatisfy { name, service in
            guard service.isReady, var found = service.inFlight else { return false }
            found.messages = max(0, found.messages - (baseline.services[name]?.inFlight?.messages ?? 0))
            return found.isNothing
        }
    }
}
