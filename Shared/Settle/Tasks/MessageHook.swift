/// What is about to be done with messages.
public struct MessageStep: Sendable, Equatable {
    /// What they are.
    public enum Kind: Sendable {
        /// Tasks, which are applied.
        case apply
        /// Answers, whose tasks are archived with all that follows.
        case answer
    }

    /// What they are.
    public let kind: Kind
    /// Of the tasks.
    public let taskType: String
    /// How many; a batch that fails is tried in parts.
    public let count: Int
}

/// Stands around each batch that is applied, and each batch of answers: for measuring, logging, a circuit breaker, a name for
/// the database session.
///
/// It calls `next` once and throws on what that throws. What it throws itself holds the batch up, which comes again.
public typealias MessageHook =
    @Sendable (_ step: MessageStep, _ next: () async throws -> Void) async throws -> Void

/// A ``MessageHook`` returned without having called `next`.
struct HookDidNothing: Error, CustomStringConvertible {
    var description: String { "the hook around messages did not call what it stands around" }
}
