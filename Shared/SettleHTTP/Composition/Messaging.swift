public import SettleServiceKit
import Logging
public import SettlePostgres
public import SettleRabbitMQ
public import ServiceLifecycle
public import Settle

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
        let settings = try MessagingSettings.table.read(boot.reader)
        configuration = try boot.setting("AMQP_URL") {
            var configuration = try RabbitMQConfiguration(url: boot.settings.amqpURL)
            configuration.connectionName = boot.name
            return configuration
        }
        topology = .tasks(routes, deadLetters: deadLetters, queueType: settings.queueType)
        publisher = RabbitMQPublisher(configuration, topology: topology, logger: boot.logger)
        var receiving = infrastructure.configuration
        // One for each queue that is busy, and one for what was set aside.
        receiving.connections = 4
        receiving.lockTimeout = settings.lockTimeout
        database = PostgresDatabase(receiving, logger: boot.logger)
        setAside = SetAside(
            settings: try SetAsideSettings.table.read(boot.reader), database: database,
            deadLetters: DeadLetters(route: deadLetters, publisher: publisher, logger: boot.logger),
            logger: boot.logger)
        keys = try boot.setting("MESSAGE_KEYS") { try MessageKeys(settings.keys, for: routes) }
        self.failpoints = try boot.setting("SETTLE_FAULTS") {
            settings.failpoints.isEmpty
                ? .none : try Failpoints(settings.failpoints, points: Failpoints.points.union(failpoints))
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
