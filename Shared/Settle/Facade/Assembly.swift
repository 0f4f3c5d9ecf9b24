import Logging
import ServiceLifecycle
import SettleRabbitMQ
import SettleRedis

/// All that an application runs, put together from what it said that it does.
struct Assembly: Sendable {
    /// What goes through the broker.
    struct Messaging: Sendable {
        let publisher: RabbitMQPublisher
        let relay: OutboxRelay
        let setAside: SetAside
        let dedup: RedisDedup?
    }

    let services: [any Service]
    let checks: [Settle.Check]
    /// Nil without a broker.
    let messaging: Messaging?
    /// Nil without Redis.
    let redis: RedisClient?
    /// Whether it sends tasks.
    let sends: Bool
    let participation: Settle.Participation?
    let initiation: Settle.Initiation?

    init(_ settle: Settle, steps: (library: StartupStep, own: StartupStep)) {
        let content = settle.registry.complete()
        participation = content.participation
        initiation = content.initiation
        let configuration = settle.configuration
        let redis = configuration.redis.map { configuration in
            var named = configuration
            named.name = settle.configuration.app
            return RedisClient(named, logger: settle.logger)
        }
        self.redis = redis
        var services: [any Service] = [
            settle.database, steps.library, AfterStartup(step: steps.library, service: steps.own),
        ]
        if let redis { services.append(redis) }
        services += content.services
        var checks = [Settle.Check.postgres(settle.database, steps.own)]
        if let redis { checks.append(.redis(redis)) }
        var consumer: RabbitMQConsumer?
        let usesBroker = configuration.broker != nil && !(content.sent.isEmpty && content.receivers.isEmpty)
        if usesBroker || content.usesMessageDatabase { services.append(settle.messageDatabase) }
        if let broker = configuration.broker, usesBroker {
            let broker = broker.named(configuration.app)
            let topology = Topology.tasks(
                content.sent + content.received, deadLetters: configuration.deadLetters,
                queueType: configuration.queueType
            ).merging(.messages(content.consumed, queueType: configuration.queueType))
            let messaging = Messaging(settle, broker, topology, redis)
            self.messaging = messaging
            consumer = RabbitMQConsumer(
                broker, topology: topology, subscriptions: content.receivers.flatMap { $0(messaging) },
                logger: settle.logger)
            services += [messaging.publisher, AfterStartup(step: steps.own, service: messaging.setAside)]
            checks.append(.broker(messaging.publisher, consumer))
        } else {
            messaging = nil
        }
        sends = !content.sent.isEmpty
        if let participation = content.participation {
            services += [
                participation.ending, AfterStartup(step: steps.library, service: participation.checkBack),
            ]
            if participation.participant.offers(.xa) { checks.append(.preparedTransactions(participation.participant)) }
        }
        if sends, let messaging { services.append(AfterStartup(step: steps.own, service: messaging.relay)) }
        if let producer = content.producer { services.append(AfterStartup(step: steps.own, service: producer)) }
        if let initiation = content.initiation {
            services.append(AfterStartup(step: steps.library, service: initiation.initiator))
        }
        if let reconciler = content.reconciler { services.append(AfterStartup(step: steps.own, service: reconciler)) }
        if let consumer { services.append(AfterStartup(step: steps.own, service: consumer)) }
        self.services = services
        self.checks = checks
    }
}

extension Assembly.Messaging {
    fileprivate init(
        _ settle: Settle, _ broker: RabbitMQConfiguration, _ topology: Topology, _ redis: RedisClient?
    ) {
        let (configuration, logger) = (settle.configuration, settle.logger)
        publisher = RabbitMQPublisher(broker, topology: topology, logger: logger)
        relay = OutboxRelay(
            store: settle.tasks, outbox: settle.outbox, publisher: publisher, keys: configuration.keys,
            failpoints: configuration.failpoints, logger: logger)
        setAside = SetAside(
            settings: configuration.setAside, database: settle.messageDatabase,
            deadLetters: DeadLetters(route: configuration.deadLetters, publisher: publisher, logger: logger),
            logger: logger)
        dedup = redis.map { RedisDedup(redis: $0, logger: logger) }
        // Whoever believes that messages are signed should be able to see that they are.
        let keys = configuration.keys
        if !keys.taskTypes.isEmpty {
            logger.info("messages are signed", metadata: ["taskTypes": "\(keys.taskTypes)"])
        }
        if !keys.taskTypesTakenUnsigned.isEmpty {
            logger.warning(
                "messages without a signature are taken, too",
                metadata: ["taskTypes": "\(keys.taskTypesTakenUnsigned)"])
        }
    }
}

extension RabbitMQConfiguration {
    fileprivate func named(_ name: String) -> RabbitMQConfiguration {
        var named = self
        named.connectionName = name
        return named
    }
}
