public import SettleCore

/// How patient a sender is.
public struct TaskSettings: Sendable, Equatable {
    /// How long a task belongs to the process that wrote or claimed it; others leave it alone until then.
    public var lease: Duration = .seconds(5)
    /// When a task is sent again that the broker has but nobody has answered: at first, doubling each time.
    public var republishAfter: Duration = .seconds(600)
    /// The longest that `republishAfter` grows.
    public var republishCap: Duration = .seconds(3600)
    /// How long a task waits that the broker returned or refused.
    public var refusedBackoff = Backoff(initial: .seconds(1), cap: .seconds(60))
    /// How long no task is claimed after the broker would not have any.
    var vainBackoff: Backoff { Backoff(initial: scanInterval, cap: max(scanInterval, .seconds(10))) }
    /// How many times a task is sent, without an answer or refused by the broker, before it is parked.
    public var maxAttempts = 25
    /// How often due tasks are looked for.
    public var scanInterval: Duration = .seconds(1)
    /// How many tasks one claim, or one batch of messages, holds at most.
    public var batchSize = 500
    /// How many committed tasks may wait in memory to be published; the rest stay in the table until they are due.
    public var handoverCapacity = 20_000

    /// How long archived tasks are kept after their answer; nil: for ever.
    public var historyRetention: Duration?
    /// How often archived tasks that are older than that are looked for.
    public var purgeInterval: Duration = .seconds(60)

    /// The defaults.
    public init() {}
}
