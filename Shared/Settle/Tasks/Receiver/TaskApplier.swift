public import SettleCore
/// What a receiver does with one type of task.
///
/// Apply at most once, and decide it in the database: with a primary key that stands for the task, and an
/// `INSERT … ON CONFLICT DO NOTHING` whose row count decides. Nothing in front of it (broker, Redis) is certain.
public protocol TaskApplier: Sendable {
    /// What `requestBody` holds.
    associatedtype Body: Decodable & Sendable

    /// What two tasks have in common of which only one may be applied: an order's id, for instance.
    func dedupKey(of body: Body) -> String

    /// Throws `UnreadableMessage` when the values make no sense; the message is dead-lettered.
    func check(_ body: Body) throws

    /// The rows that applying it locks, by names of your own choosing. What waits for a held one is so told from its
    /// neighbours, and set aside without a try; without names each is tried.
    func rows(of body: Body) -> [String]

    /// Which of these rows other transactions hold now; must not wait for them: see `RowProbe`.
    func held(among rows: [String]) async throws -> Set<ByteKey>

    /// What was decided about `tasks` before, as `apply` would say it: a duplicate or a conflict; nil for what the database
    /// does not know. One read for all of them, by index, which locks nothing and changes nothing.
    ///
    /// Asked only for tasks that Redis says to be known. It spares duplicates the way through `apply`, where they would
    /// queue for the rows that they do not need any more.
    func decided(_ tasks: [ReceivedTask<Body>]) async throws -> [TaskOutcome?]

    /// Applies `tasks`, no two of which have the same key, in one local transaction; one outcome for each, in order.
    ///
    /// It throws when nothing was applied, or when that is unknown: then it is called again with the same tasks. It must not
    /// wait long for a lock, for all that came with the task waits too; what could not be had in time is set aside.
    func apply(_ tasks: [ReceivedTask<Body>]) async throws -> [TaskOutcome]
}

extension TaskApplier {
    /// None.
    public func rows(of body: Body) -> [String] { [] }

    /// None is known to be.
    public func held(among rows: [String]) async throws -> Set<ByteKey> { [] }

    /// Nothing is known: `apply` finds out.
    public func decided(_ tasks: [ReceivedTask<Body>]) async throws -> [TaskOutcome?] { tasks.map { _ in nil } }
}

/// A task as it came from its sender.
public struct ReceivedTask<Body: Sendable>: Sendable {
    /// The message.
    public let message: TaskMessage
    /// Its `requestBody`.
    public let body: Body
}

/// What became of a received task.
public enum TaskOutcome: Sendable, Equatable {
    /// Done, now.
    case applied
    /// Done, now, and this is what there is to say: a JSON text.
    case answered(body: String)
    /// It cannot be done; that is remembered, so that a late copy gets the same answer.
    case rejected(reason: String)
    /// Decided before; answered again as then.
    case duplicate(TaskAnswer)
    /// Another task with the same key and other content was applied before: nobody's answer, so it is dead-lettered.
    case conflict(reason: String)

    /// What its sender is told, if anything.
    var answer: TaskAnswer? {
        switch self {
        case .applied: .finished
        case .answered(let body): .answered(body: body)
        case .rejected(let reason): .rejected(reason: reason)
        case .duplicate(let answer): answer
        case .conflict: nil
        }
    }
}
