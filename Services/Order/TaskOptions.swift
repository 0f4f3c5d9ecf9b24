import ArgumentParser
import SettleServiceKit
import Settle

/// How patient the sender of tasks is.
struct TaskOptions: ParsableArguments {
    @Option(help: "How long a task belongs to the process that wrote or claimed it (TASK_LEASE, default 5s).")
    var taskLease: String?
    @Option(
        help: "When a task is sent again that the broker has and nobody answers (TASK_REPUBLISH_AFTER, default 10m).")
    var taskRepublishAfter: String?
    @Option(help: "How many times a task is sent before it is parked (TASK_MAX_ATTEMPTS, default 25).")
    var taskMaxAttempts: String?
    @Option(help: "How often due tasks are looked for (TASK_SCAN_INTERVAL, default 1s).")
    var taskScanInterval: String?
    @Option(
        help: "How long archived tasks are kept after their answer (TASK_HISTORY_RETENTION, default: for ever).")
    var taskHistoryRetention: String?

    var flags: [String: String?] {  // ours
        [
            "task-lease": taskLease, "task-republish-after": taskRepublishAfter,
            "task-max-attempts": taskMaxAttempts, "task-scan-interval": taskScanInterval,
            "task-history-retention": taskHistoryRetention,
        ]
    }

    static func settings(_ boot: Bootstrap) throws -> TaskSettings {
        var settings = TaskSettings()
        let longest = Duration.seconds(7 * 24 * 3600)
        settings.lease = try boot.reader.duration(
            "task-lease", default: settings.lease, in: .milliseconds(100)...longest)
        settings.republishAfter = try boot.reader.duration(
            "task-republish-after", default: settings.republishAfter, in: .milliseconds(100)...longest)
        settings.republishCap = max(settings.republishCap, settings.republishAfter)
        settings.maxAttempts = try boot.reader.integer(
            "task-max-attempts", default: settings.maxAttempts, in: 1...1_000_000)
        settings.scanInterval = try boot.reader.duration(
            "task-scan-interval", default: settings.scanInterval, in: .milliseconds(10)...longest)
        if boot.reader.optionalString("task-history-retention") != nil {
            settings.historyRetention = try boot.reader.duration(
                "task-history-retention", in: .seconds(1) ... .seconds(3660 * 24 * 3600))
        }
        return settings
    }
}
