public import ArgumentParser
import Foundation
public import RabbitMQ
public import Settle

/// The flags of a service that sends or receives tasks.
public struct MessagingOptions: ParsableArguments {
    @Option(help: "classic or quorum: the type of queue to declare (QUEUE_TYPE, default classic).")
    var queueType: String?
    @Option(help: "Connections to the database (DATABASE_CONNECTIONS, default 8).")
    var databaseConnections: String?

    /// No flags given.
    public init() {}

    /// For `ServiceMain.run`.
    public var flags: [String: String?] {
        ["queue-type": queueType, "database-connections": databaseConnections]
    }
}

/// The broker as a service uses it: one connection to publish on, one to receive on.
public struct Messaging: Sendable {
    /// Publishes tasks, answers and dead letters.
    public let publisher: RabbitMQPublisher
    /// Where unreadable messages go.
    public let deadLetters: DeadLetters
    /// Crashes on demand; none unless SETTLE_FAULTS is set.
    public let faults: Faults

    private let boot: Bootstrap
    private let infrastructure: Infrastructure
    private let configuration: RabbitMQConfiguration
    private let topology: Topology

    /// - Parameters:
    ///   - routes: all that the service sends or receives.
    ///   - faultPoints: where the service's own code may crash on demand, beside the points of Settle.
    public init(
        _ boot: Bootstrap, _ infrastructure: Infrastructure, routes: [TaskRoute], deadLetters: DeadLetterRoute,
        faultPoints: Set<String> = []
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
        self.deadLetters = DeadLetters(route: deadLetters, publisher: publisher, logger: boot.logger)
        faults = try boot.setting("SETTLE_FAULTS") {
            try ProcessInfo.processInfo.environment["SETTLE_FAULTS"].map {
                try Faults($0, points: Faults.points.union(faultPoints))
            } ?? .none
        }
    }

    /// Receives the tasks of `route`.
    public func inbox<Applier: TaskApplier>(_ route: TaskRoute, applier: Applier) -> Subscription {
        Inbox(
            route: route, applier: applier, publisher: publisher,
            dedup: RedisDedup(redis: infrastructure.redis, logger: boot.logger), deadLetters: deadLetters,
            faults: faults, logger: boot.logger
        ).subscription()
    }

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
