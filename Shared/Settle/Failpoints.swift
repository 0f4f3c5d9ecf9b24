import Foundation
import Synchronization

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
        /// When it is forgotten; nil: never.
        var end: ContinuousClock.Instant?
        /// How often the point was reached.
        var visits = 0
    }

    /// None: reaching a point costs one comparison.
    public static let none = Failpoints(plans: [:], switchable: [])

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

    /// The points at which a fault may be planned while the process runs; none unless an operator has said so.
    package let switchable: Set<String>  // ours
    private let plans: Mutex<[String: Plan]>  // ours
    private let isPlanned: Atomic<Bool>

    private init(plans: [String: Plan], switchable: Set<String>) {  // ours
        self.plans = Mutex(plans)
        self.switchable = switchable
        isPlanned = Atomic(!plans.isEmpty)
    }

    /// Reads a specification.
    ///
    /// - Parameters:
    ///   - specification: `point=action`, several with commas.
    ///   - points: those that there are; a fault at any other would never happen, and so is refused. Nil lets every
    ///     point be named.
    public convenience init(_ specification: String, points: Set<String>? = nil) throws(Unreadable) {  // ours
        self.init(plans: try Self.parse(specification, points), switchable: [])
    }

    /// The same for a process in which faults may be planned while it runs, too.
    package convenience init(_ specification: String, switchable points: Set<String>) throws(Unreadable) {  // ours
        self.init(plans: try Self.parse(specification, points), switchable: points)
    }

    /// Plans faults in place of those that are planned.
    ///
    /// - Parameters:
    ///   - specification: as of the initializer; an empty one takes back what is planned.
    ///   - limit: after this they are forgotten, whether they have happened or not.
    package func plan(_ specification: String, for limit: Duration) throws(Unreadable) {
        let end = ContinuousClock.now + limit
        let wanted = try Self.parse(specification, switchable)
        plans.withLock { plans in
            plans = wanted.mapValues { plan in
                var plan = plan
                plan.end = end
                return plan
            }
            isPlanned.store(!plans.isEmpty, ordering: .relaxed)
        }
    }

    private static func parse(
        _ specification: String, _ points: Set<String>?  // ours
    ) throws(Unreadable) -> [String: Plan] {  // ours
        let plans = try parse(specification)
        if let points, let unknown = plans.keys.sorted().first(where: { !points.contains($0) }) {
            throw Unreadable(
                description:
                    "there is no point '\(unknown)'; one of \(points.sorted().joined(separator: ", ")) is expected")
        }
        return plans
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
        switch visit(point) {
        case .kill: Self.crash()
        case .fail: throw Injected(point: point)
        case nil: break
        }
    }

    /// The same where nothing can be thrown any more, after a commit for instance: `throw` does nothing here.
    public func reachCommitted(_ point: String) {
        if visit(point) == .kill { Self.crash() }
    }

    /// What is to be done at this visit.
    private func visit(_ point: String) -> Action? {
        guard isPlanned.load(ordering: .relaxed) else { return nil }
        return plans.withLock { plans in
            guard var plan = plans[point] else { return nil }
            if let end = plan.end, end <= .now { return nil }
            plan.visits += 1
            plans[point] = plan
            return plan.visit == nil || plan.visit == plan.visits ? plan.action : nil
        }
    }

    /// As a crash would: nothing is finished, nothing said.
    package static func crash() {
        kill(getpid(), SIGKILL)
        // The first process of a container cannot kill itself.
        _exit(128 + SIGKILL)
    }
}
