/// A rule that the code under test does not keep.
public struct BrokenRule: Error, Sendable, Equatable, CustomStringConvertible {
    /// Which.
    public enum Rule: String, Sendable, CaseIterable {
        // Of an applier.

        /// A body can be written, read again and is accepted by `check`; two different tasks have different keys.
        case readable
        /// A new task is `applied`, and something shows.
        case applied
        /// A copy of a task is a `duplicate` with the same answer, and changes nothing.
        case copy
        /// A batch has one outcome for each of its tasks, in their order.
        case batch
        /// What is refused changes nothing that a copy would change again, and a copy gets the same answer.
        case refusal
        /// Another task with the same key is a `conflict`, and changes nothing.
        case conflict
        /// The connection is lost before a commit: nothing stays, and the next try applies the task as a whole.
        case lostBeforeCommit
        /// The connection is lost after a commit: the next try finds a duplicate, and does nothing.
        case lostAfterCommit
        /// Two receivers have the same task at the same moment: one applies it.
        case atOnce
        /// `decided` says what `apply` would say, or nothing; and changes nothing.
        case decided

        // Of a branch in the modes tcc and saga.

        /// The first phase is done, and something shows.
        case performed
        /// Cancel, or the compensation, leaves all as it was.
        case undone
        /// Of several transactions at once as of each alone: `confirm`, `cancel`, `compensate` get batches.
        case together
        /// The end of one transaction changes nothing of another's.
        case apart
        /// The business says no by a `BranchRefusal`, and nothing stays.
        case branchRefusal
        /// What ends a branch must succeed whenever the first phase has.
        case ends
    }

    /// Which.
    public let rule: Rule
    /// What was expected, and what came; for a person.
    public let description: String

    init(_ rule: Rule, _ what: String) {
        self.rule = rule
        description = "\(rule.rawValue): \(what)"
    }
}
