public import SettleServiceKit
public import ArgumentParser
import Foundation
import Logging
public import SettlePostgres
public import SettleRabbitMQ
public import ServiceLifecycle
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

/// The broker as a service uses it: one connection to publish on, one to receive on.
public struct Messaging: Sendable {
    /// Publishes tasks, answers and dead letters.
    public let publisher: RabbitMQPublisher
    /// The service's database on connections of their own, which wait only shortly for a lock: what messages do goes by
    /// these.
    public let database: PostgresDatabase
    /// Keeps what cannot be handled now, and what nobody can read.
    public let setAside: SetAside
    /// Sign what is sent and received; none unless MESSAGE_KEYS is set.
    public let keys: MessageKeys
    /// Crashes on demand; none unless SETTLE_FAULTS is set.
    public let failpoints: Failpoints

    private let boot: Bootstrap
    private let infrastructure: Infrastructure
    private let configuration: RabbitMQConfiguration
    private let topology: Topology

    /// - Parameters:
    ///   - routes: all that the service sends or receives.
    ///   - failpoints: where the service's own code may crash on demand, beside the points of Settle.
    public init(
        _ boot: Bootstrap, _ infrastructure: Infrastructure, routes: [TaskRoute], deadLetters: DeadLetterRoute,
        failpoints: Set<String> = []
    ) throws {
        self.boot = boot
        self.infrastructure = infrastructure
        let queueType = try boot.setting("QUEUE_TYPE") {
            try Topology.Queue.Kind(setting: try boot.reader.string("queue-type", default: "classic"))
        }
        configuration = try boot.setting("AMQP_URL") {
            var configuration = try RabbitMQConfiguration(url: boot.settings.amqpURL)
            configuration.connectionName = boot.name
            return configuration
        }
        topology = .tasks(routes, deadLetters: deadLetters, queueType: queueType)
        publisher = RabbitMQPublisher(configuration, topology: topology, logger: boot.logger)
        var receiving = infrastructure.configuration
        // One for each queue that is busy, and one for what was set aside.
        receiving.connections = 4
        receiving.lockTimeout = try boot.reader.duration(
            "message-lock-timeout", default: .milliseconds(80), in: .milliseconds(1)...Duration.seconds(10))
        database = PostgresDatabase(receiving, logger: boot.logger)
        setAside = SetAside(
            settings: try MessagingOptions.settings(boot), database: database,
            deadLetters: DeadLetters(route: deadLetters, publisher: publisher, logger: boot.logger),
            logger: boot.logger)
        keys = try boot.setting("MESSAGE_KEYS") {
            try MessageKeys(try boot.reader.string("message-keys", default: "", isSecret: true), for: routes)
        }
        self.failpoints = try boot.setting("SETTLE_FAULTS") {
            try ProcessInfo.processInfo.environment["SETTLE_FAULTS"].map {
                try Failpoints($0, points: Failpoints.points.union(failpoints))
            } ?? .none
        }
        logKeys()
    }

    /// Whoever believes that messages are signed should be able to see that they are.
    private func logKeys() {
        guard !keys.taskTypes.isEmpty else { return }
        boot.logger.info("messages are signed", metadata: ["taskTypes": "\(keys.taskTypes)"])
        guard !keys.taskTypesTakenUnsigned.isEmpty else { return }
        boot.logger.warning(
            "messages without a signature are taken, too", metadata: ["taskTypes": "\(keys.taskTypesTakenUnsigned)"])
    }

    /// Receives the tasks of `route`.
    public func inbox<Applier: TaskApplier>(_ route: TaskRoute, applier: Applier) -> Subscription {
        Inbox(
            route: route, applier: applier, publisher: publisher,
            dedup: RedisDedup(redis: infrastructure.redis, logger: boot.logger), setAside: setAside, keys: keys,
            failpoints: failpoints, logger: boot.logger
        ).subscription()
    }

    /// In the order of dependency.
    public var services: [any Service] { [database, publisher, infrastructure.afterMigration(setAside)] }

    /// The receiving connection.
    public func consumer(_ subscriptions: [Subscription]) -> RabbitMQConsumer {
        RabbitMQConsumer(configuration, topology: topology, subscriptions: subscriptions, logger: boot.logger)
    }

    /// What readiness says of the broker.
    public func check(_ consumer: RabbitMQConsumer) -> HealthCheck {
        HealthCheck("rabbitmq") { [publisher] in publisher.isUp && consumer.isUp }
    }
}

extension Topology.Queue.Kind {
    fileprivate init(setting: String) throws {
        switch setting {
        case "classic": self = .classic
        case "quorum": self = .quorum
        default: throw SettingsError("QUEUE_TYPE", "classic or quorum")
        }
    }
}
