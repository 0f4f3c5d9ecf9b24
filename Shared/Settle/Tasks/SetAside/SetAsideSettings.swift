public import SettleCore

/// How patient a receiver is with a message that it cannot handle now.
public struct SetAsideSettings: Sendable, Equatable {
    /// How often a message is tried that fails for a reason not known to pass; then it is a dead letter.
    public var maxFailures = 12
    /// Between those tries.
    public var failureBackoff = Backoff(initial: .milliseconds(200), cap: .seconds(60))
    /// Between tries of a message that meets a held row.
    public var heldBackoff = Backoff(initial: .milliseconds(50), cap: .seconds(3))
    /// How long a message waits for a held row; then it is a dead letter.
    public var giveUpAfter: Duration = .seconds(24 * 3600)
    /// How many messages may wait; beyond it a batch is held as a whole, unacknowledged.
    public var maxWaiting = 10_000
    /// How many dead letters are kept in the table; the dead-letter queue has all of them.
    public var maxDead = 10_000
    /// How many bytes those that wait may have together, and the dead ones likewise.
    public var maxBytes = 256 << 20
    /// How often due messages are looked for that nobody here knows of: another replica's, or those of before a restart.
    public var scanInterval: Duration = .seconds(5)
    /// How long a message belongs to the process that tries it.
    public var lease: Duration = .seconds(60)
    /// How many messages one round tries at most.
    public var batchSize = 500

    /// The defaults.
    public init() {}
}
