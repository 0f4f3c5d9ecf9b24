public import SettleRabbitMQ
public import SettleServiceKit

/// How a service uses its broker.
public struct MessagingSettings: Sendable {
    /// Of the queues that it declares.
    public internal(set) var queueType = Topology.Queue.Kind.classic
    /// How long a batch of messages waits for a held row before the messages that need it are set aside.
    public internal(set) var lockTimeout: Duration = .milliseconds(80)
    /// As `MessageKeys` takes them; empty: messages are not signed.
    public internal(set) var keys = ""

    /// What an operator may set.
    public static let table = SettingsTable(
        MessagingSettings(),
        [
            .choice(
                "queue-type", \.queueType, [("classic", .classic), ("quorum", .quorum)],
                "The type of the queues that are declared."),
            .duration(
                "message-lock-timeout", \.lockTimeout, in: .milliseconds(1)...Duration.seconds(10),
                "How long a batch of messages waits for a held row."),
            .text(
                "message-keys", \.keys, form: "TYPE=KEY, several with commas", whenUnset: "none",
                isEnvironmentOnly: true,
                "Sign messages, a key for each type of task, and let none in that is not signed."),
        ])
}
