public import SettleCore

/// How patient initiators and participants of global transactions are.
public struct TransactionSettings: Sendable, Equatable {
    /// How long a global transaction may take until its decision. It travels with each branch; a participant takes its own
    /// for a branch that comes without.
    public var deadline: Duration = .seconds(10)
    /// How long phase 2 belongs to the process that decided; after that, any replica does it.
    public var lease: Duration = .seconds(5)
    /// How often decisions that were not acknowledged, and branches that were not decided, are looked for.
    public var scanInterval: Duration = .seconds(1)
    /// When a participant first asks about a branch of which it has heard nothing.
    public var checkAfter: Duration = .seconds(3)
    /// How long it waits after each time that the initiator could not be asked or could not say.
    public var checkBackoff = Backoff(initial: .seconds(1), cap: .seconds(10))
    /// How long a branch waits for a row that another global transaction holds.
    public var lockTimeout: Duration = .seconds(2)
    /// How long a caller waits for the rollback of what it began, and for the answer whether it is committed after all;
    /// afterwards that goes on without the caller.
    public var rollbackWait: Duration = .seconds(2)
    /// How long an outcome waits for an initiating transaction that is still open.
    public var outcomeWait: Duration = .milliseconds(500)
    /// How long one statement of an end may take at a participant: an undo takes as long as it takes.
    public var endTimeout: Duration = .seconds(600)
    /// How long a participant waits for a resource, in mode `mt`, to prepare its part or to hear of its end.
    public var resourceTimeout: Duration = .seconds(2)
    /// How many changes of rows a branch in mode `at` may make; one that makes more is refused in the first phase.
    public var maxRows = 10_000
    /// How long decisions and branches are kept after their end, to recognise late copies; longer than `deadline`.
    public var retention: Duration = .seconds(24 * 3600)
    /// How often what is older than that is looked for.
    public var purgeInterval: Duration = .seconds(60)
    /// How many XIDs one message or statement holds at most.
    public var batchSize = 500

    /// The defaults.
    public init() {}
}
