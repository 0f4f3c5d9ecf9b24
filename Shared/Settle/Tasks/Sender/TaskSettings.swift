public import SettleCore
import SettlePostgres

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
    /// What is otherwise for some types of task, by their names.
    public var types: [String: OfType] = [:]  // ours
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

    /// What may be otherwise for one type of task; nil: as for all others.
    public struct OfType: Sendable, Equatable {
        /// See ``TaskSettings/lease``.
        public var lease: Duration?
        /// See ``TaskSettings/republishAfter``.
        public var republishAfter: Duration?
        /// See ``TaskSettings/maxAttempts``.
        public var maxAttempts: Int?

        /// What is given is otherwise.
        public init(lease: Duration? = nil, republishAfter: Duration? = nil, maxAttempts: Int? = nil) {
            self.lease = lease
            self.republishAfter = republishAfter
            self.maxAttempts = maxAttempts
        }
    }

    /// How long a task of that type belongs to the process that wrote or claimed it.
    func lease(of taskType: String) -> Duration { types[taskType]?.lease ?? lease }

    /// For a statement: the names of the types that have settings of their own, and those settings in milliseconds, or as
    /// they are; an array each.
    var typeParameters: [PostgresValue] {
        let types = types.sorted { $0.key < $1.key }
        return [
            .texts(types.map(\.key)), .ints(types.map { $0.value.lease?.milliseconds }),
            .ints(types.map { $0.value.republishAfter?.milliseconds }), .ints(types.map(\.value.maxAttempts)),
        ]
    }
}
