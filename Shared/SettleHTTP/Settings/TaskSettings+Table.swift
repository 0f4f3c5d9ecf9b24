public import Settle
public import SettleServiceKit

extension TaskSettings {
    private static let week = Duration.seconds(7 * 24 * 3600)

    /// What an operator may set about the tasks that a service sends.
    public static let table = SettingsTable(
        TaskSettings(),
        [
            .duration(
                "task-lease", \.lease, in: .milliseconds(100)...week,
                "How long a task belongs to the process that wrote or claimed it."),
            .duration(
                "task-republish-after", \.republishAfter, in: .milliseconds(100)...week,
                "When a task is sent again that the broker has and nobody has answered."),
            .integer(
                "task-max-attempts", \.maxAttempts, in: 1...1_000_000, "How often it is sent before it is parked."),
            .duration(
                "task-scan-interval", \.scanInterval, in: .milliseconds(10)...week,
                "How often due tasks are looked for."),
            .duration(
                "task-history-retention", \.historyRetention, in: .seconds(1) ... .seconds(3660 * 24 * 3600),
                whenUnset: "for ever", "How long archived tasks are kept after their answer."),
        ]
    ) { settings in
        settings.republishCap = max(settings.republishCap, settings.republishAfter)
    }
}
