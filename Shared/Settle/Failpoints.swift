import Foundation

/// Failpoints: crashes on demand, at named points, for tests and demonstrations.
///
/// Written `point=action`, several with commas: `inbox.committed=kill@3` kills the process with SIGKILL the third time
/// it gets there, `order.beforeCommit=throw` throws every time, `inbox.committed=throw@2` the second time only.
public final class Failpoints: Sendable {
    enum Action: Equatable, Sendable { case kill, fail }

    /// Thrown by `throw`.
    public struct Injected: Error, Sendable, CustomStringConvertible {
        /// Where.
        public let point: String
        /// For an operator.
        public var description: String { "fault injected at \(point)" }
    }

    /// A specification that cannot be read.
    public struct Unreadable: Error, CustomStringConvertible {
        /// What is wrong with it.
        public let description: String
    }

    struct Plan: Sendable {
        let action: Action
        let visit: Int?
    }

    /// None: reaching a point costs one comparison.
    public static let none = Failpoints(plans: [:])

    /// Every point that code of this module reaches. A test holds this list against the sources.
    public static let points: Set<String> = [  // ours
        "inbox.beforeCommit", "inbox.committed", "inbox.answered", "finish.beforeCommit", "finish.committed",
        "branch.beforeCommit", "branch.committed", "branch.beforeChildren", "branch.afterChildren",
        "branch.ended.commit", "branch.ended.rollback",
        "branch.beforeCommitPrepared", "branch.beforeRollbackPrepared", "branch.duringCommit", "branch.duringRollback",
        "branch.remembered", "branch.prepared", "branch.beforeCommitResource", "branch.beforeRollbackResource",
        "initiator.beforeCommitRequest", "initiator.confirmed", "relay.published", "producer.saved",
        "producer.beforePrepare", "producer.prepared", "producer.beforeConfirm", "producer.confirmed",
        "producer.beforeOutcome", "producer.outcome",
    ]

    private let plans: [String: Plan]  // ours
    private let visits = VisitCounter()

    private init(plans: [String: Plan]) {  // ours
        self.plans = plans
    }

    /// Reads a specification.
    ///
    /// - Parameters:
    ///   - specification: `point=action`, several with commas.
    ///   - points: those that there are; a fault at any other would never happen, and so is refused. Nil lets every
    ///     point be named.
    public convenience init(_ specification: String, points: Set<String>? = nil) throws(Unreadable) {  // ours
        let plans = try Self.parse(specification)
        if let points, let unknown = plans.keys.sorted().first(where: { !points.contains($0) }) {
            throw Unreadable(
                description:
                    "there is no point '\(unknown)'; one of \(points.sorted().joined(separator: ", ")) is expected")
        }
        self.init(plans: plans)
    }

    static func parse(_ specification: String) throws(Unreadable) -> [String: Plan] {  // ours
        var plans: [String: Plan] = [:]  // ours
        for part in specification.split(separator: ",") {
            let sides = part.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            guard sides.count == 2 else { throw Unreadable(description: "a fault is POINT=ACTION, not '\(part)'") }
            let words = sides[1].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
                .map(String.init)
            let visit = words.count == 2 ? Int(words[1]) : nil
            guard words.count == 1 || (visit ?? 0) > 0 else {
                throw Unreadable(description: "'@\(words[1])' in '\(part)' is not a count from 1")
            }
            guard plans[sides[0]] == nil else { throw Unreadable(description: "'\(sides[0])' is named twice") }
            switch words[0] {
            case "kill": plans[sides[0]] = Plan(action: .kill, visit: visit)
            case "throw": plans[sides[0]] = Plan(action: .fail, visit: visit)
            default: throw Unreadable(description: "'\(words[0])' in '\(part)' is neither kill nor throw")
            }
        }
        return plans
    }

    /// Does what is planned for `point`, if anything.
    public func reach(_ point: String) throws(Injected) {
        guard !plans.isEmpty, let plan = plans[point] else { return }
        let visit = visits.next(at: point)
        guard plan.visit == nil || plan.visit == visit else { return }
        switch plan.action {
        case .kill: kill(getpid(), SIGKILL)
        case .fail: throw Injected(point: point)
        }
    }

    /// The same where nothing can be thrown any more, after a commit for instance: `throw` does nothing here.
    public func reachCommitted(_ point: String) {
        guard !plans.isEmpty, let plan = plans[point], plan.action == .kill else { return }
        let visit = visits.next(at: point)
        if plan.visit == nil || plan.visit == visit { kill(getpid(), SIGKILL) }
    }
}
