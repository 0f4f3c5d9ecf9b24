/// How patient a producer is with its message centre, beside what `TaskSettings` say of leases and retries.
public struct MessageSettings: Sendable, Equatable {
    /// How long after a pre-message was saved its transaction may commit. Nobody else decides until then.
    public var deadline: Duration = .seconds(10)
    /// How often the centre is told again, what it may have missed: as often as senders of tasks look for what is due.
    public var tasks = TaskSettings()

    /// The defaults.
    public init() {}
}
