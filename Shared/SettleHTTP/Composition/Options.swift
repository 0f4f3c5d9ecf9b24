public import SettleServiceKit
public import ArgumentParser
import SettleRabbitMQ
public import Settle

/// The flags of a service that sends or receives tasks.
public struct MessagingOptions: ParsableArguments {
    @Option(help: "classic or quorum: the type of queue to declare (QUEUE_TYPE, default classic).")
    var queueType: String?
    @Option(help: "Connections to the database (DATABASE_CONNECTIONS, default 8).")
    var databaseConnections: String?
    @Option(help: "How long a batch of messages waits for a held row (MESSAGE_LOCK_TIMEOUT, default 80ms).")
    var messageLockTimeout: String?
    @Option(
        help: "How often a message is tried that fails for an unknown reason (SET_ASIDE_MAX_FAILURES, default 12).")
    var setAsideMaxFailures: String?
    @Option(help: "How long a message waits for a held row (SET_ASIDE_GIVE_UP_AFTER, default 24h).")
    var setAsideGiveUpAfter: String?
    @Option(help: "How many messages may wait, set aside (SET_ASIDE_MAX_WAITING, default 10000).")
    var setAsideMaxWaiting: String?

    /// No flags given.
    public init() {}

    /// For `ServiceMain.run`.
    public var flags: [String: String?] {
        [
            "queue-type": queueType, "database-connections": databaseConnections,
            "message-lock-timeout": messageLockTimeout, "set-aside-max-failures": setAsideMaxFailures,
            "set-aside-give-up-after": setAsideGiveUpAfter, "set-aside-max-waiting": setAsideMaxWaiting,
        ]
    }

    static func settings(_ boot: Bootstrap) throws -> SetAsideSettings {
        var settings = SetAsideSettings()
        settings.maxFailures = try boot.reader.integer(
            "set-aside-max-failures", default: settings.maxFailures, in: 1...1_000_000)
        settings.giveUpAfter = try boot.reader.duration(
            "set-aside-give-up-after", default: settings.giveUpAfter, in: .seconds(1)...Duration.seconds(366 * 86400))
        settings.maxWaiting = try boot.reader.integer(
            "set-aside-max-waiting", default: settings.maxWaiting, in: 1...1_000_000)
        return settings
    }
}

/// The flags of a service that takes part in global transactions.
public struct TransactionOptions: ParsableArguments {
    @Option(help: "How long a global transaction may take until its decision (TRANSACTION_DEADLINE, default 10s).")
    var transactionDeadline: String?
    @Option(
        help: "When a participant asks about a branch it has heard nothing of (TRANSACTION_CHECK_AFTER, default 3s).")
    var transactionCheckAfter: String?
    @Option(help: "How long a branch waits for a row that another transaction holds (ROW_LOCK_TIMEOUT, default 2s).")
    var rowLockTimeout: String?
    @Option(
        help: """
            How long ended branches and decisions are kept, to recognise late copies (TRANSACTION_RETENTION, default 24h).
            """)
    var transactionRetention: String?
    @Option(help: "How many changes of rows a branch in mode 'at' may make (TRANSACTION_MAX_ROWS, default 10000).")
    var transactionMaxRows: String?

    /// No flags given.
    public init() {}

    /// For `ServiceMain.run`.
    public var flags: [String: String?] {
        [
            "transaction-deadline": transactionDeadline, "transaction-check-after": transactionCheckAfter,
            "row-lock-timeout": rowLockTimeout, "transaction-retention": transactionRetention,
            "transaction-max-rows": transactionMaxRows,
        ]
    }

    /// What the flags and the environment say.
    public static func settings(_ boot: Bootstrap) throws -> TransactionSettings {
        var settings = TransactionSettings()
        let sensible = Duration.milliseconds(10)...Duration.seconds(24 * 3600)
        settings.deadline = try boot.reader.duration("transaction-deadline", default: settings.deadline, in: sensible)
        settings.checkAfter = try boot.reader.duration(
            "transaction-check-after", default: settings.checkAfter, in: sensible)
        settings.lockTimeout = try boot.reader.duration("row-lock-timeout", default: settings.lockTimeout, in: sensible)
        settings.retention = try boot.reader.duration(
            "transaction-retention", default: settings.retention, in: .milliseconds(10) ... .seconds(366 * 24 * 3600))
        guard settings.retention > settings.deadline else {
            throw SettingsError("transaction-retention", "longer than TRANSACTION_DEADLINE is expected")
        }
        settings.maxRows = try boot.reader.integer(
            "transaction-max-rows", default: settings.maxRows, in: 1...1_000_000)
        return settings
    }
}

/// The flags of a service that does parts of global transactions.
public struct ParticipantOptions: ParsableArguments {
    @Option(
        help: """
            Who decides: names, and where each is asked, as NAME=URL, NAME=URL (INITIATORS, default order=$ORDER_URL).
            """)
    var initiators: String?

    /// No flags given.
    public init() {}

    /// For `ServiceMain.run`.
    public var flags: [String: String?] { ["initiators": initiators] }
}

extension Topology.Queue.Kind {
    init(setting: String) throws {
        switch setting {
        case "classic": self = .classic
        case "quorum": self = .quorum
        default: throw SettingsError("QUEUE_TYPE", "classic or quorum")
        }
    }
}

/// How patient the sender of tasks is.
public struct TaskOptions: ParsableArguments {
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

    /// No flags given.
    public init() {}

    /// For `ServiceMain.run`.
    public var flags: [String: String?] {
        [
            "task-lease": taskLease, "task-republish-after": taskRepublishAfter,
            "task-max-attempts": taskMaxAttempts, "task-scan-interval": taskScanInterval,
            "task-history-retention": taskHistoryRetention,
        ]
    }
}

extension TaskSettings {
    init(_ boot: Bootstrap) throws {
        self.init()
        let longest = Duration.seconds(7 * 24 * 3600)
        self.lease = try boot.reader.duration(
            "task-lease", default: self.lease, in: .milliseconds(100)...longest)
        self.republishAfter = try boot.reader.duration(
            "task-republish-after", default: self.republishAfter, in: .milliseconds(100)...longest)
        self.republishCap = max(self.republishCap, self.republishAfter)
        self.maxAttempts = try boot.reader.integer(
            "task-max-attempts", default: self.maxAttempts, in: 1...1_000_000)
        self.scanInterval = try boot.reader.duration(
            "task-scan-interval", default: self.scanInterval, in: .milliseconds(10)...longest)
        if boot.reader.optionalString("task-history-retention") != nil {
            self.historyRetention = try boot.reader.duration(
                "task-history-retention", in: .seconds(1) ... .seconds(3660 * 24 * 3600))
        }
    }
}
