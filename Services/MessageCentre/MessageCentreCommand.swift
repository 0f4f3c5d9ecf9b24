import Settle
import SettleCore
import SettleHTTP
import SettlePostgres
import SettleRabbitMQ
import SettleServiceKit
import ShopCentreSchema
import ShopContract

@main
enum MessageCentreCommand {
    static let command = ServiceCommand(
        "message-centre",
        about:
            "Keeps messages for their producers, sends them until they are acknowledged, and asks back what is unclear.",
        port: 8083, peers: ShopServices.all, usesRedis: false,
        settings: DatabaseSettings.table.settings + SettleSettings.tasks
            + CentreSettings.table(artists: ShopServices.producers).settings + FaultSettings.table.settings)

    static let failpoints: Set<String> = [  // ours
        "centre.beforePrepare", "centre.prepared", "centre.beforeConfirm", "centre.confirmed", "centre.checkClaimed",
        "centre.checkAnswered", "centre.beforeAck", "centre.acknowledged", "centre.told",
    ]

    static func main() async {
        await ServiceMain.run(command) { boot in
            var checking = try CentreSettings.table(artists: ShopServices.producers).read(boot.reader)
            let artists = try ServiceDirectory(
                ShopServices.producers.map { ($0.name, try boot.settings.url(of: $0)) })
            checking.artists = checking.artists ?? artists
            let failpoints = try FaultSettings.failpoints(boot, known: Self.failpoints)
            var configuration = try boot.setting("DATABASE_URL") {
                try PostgresConfiguration(url: boot.settings.databaseURL)
            }
            configuration.connections = try DatabaseSettings.table.read(boot.reader).connections
            configuration.applicationName = boot.name
            configuration.plans = .byIndex
            var broker = try boot.setting("AMQP_URL") { try RabbitMQConfiguration(url: boot.settings.amqpURL) }
            broker.connectionName = boot.name

            let database = PostgresDatabase(configuration, logger: boot.logger)
            let migration = StartupStep(
                "migrate", logger: boot.logger, isPermanent: { ($0 as? PostgresMigrationError)?.isPermanent ?? false }
            ) {
                try await PostgresMigrator.apply(CentreSchema.migrations, on: database)
            }
            let publisher = RabbitMQPublisher(broker, topology: Topology(), logger: boot.logger)
            let http = OutboundHTTP(logger: boot.logger)
            let producers = HTTPProducers(
                directory: checking.artists ?? artists, outbound: http, token: boot.settings.token)
            let store = CentreStore(
                database: database, settings: try TaskSettings.table.read(boot.reader), checking: checking)
            let relay = Relay(
                store: store, committed: Mailbox(capacity: store.settings.handoverCapacity), publisher: publisher,
                failpoints: failpoints, logger: boot.logger)
            let outcomes = OutcomeTeller(
                store: store, producers: producers, failpoints: failpoints, logger: boot.logger)
            let centre = Centre(
                store: store, relay: relay, outcomes: outcomes, failpoints: failpoints, logger: boot.logger)
            let checkBack = MessageCheckBack(
                centre: centre, producers: producers, failpoints: failpoints, logger: boot.logger)
            let diagnosis = DiagnosisRoutes(
                Doctor(database: database, publisher: publisher, logger: boot.logger),
                MigrationBook([CentreSchema.migrations], on: database))
            let faults = FaultRoutes(failpoints, logger: boot.logger)
            let server = HTTPService(
                boot,
                checks: [
                    HealthCheck("postgres") { database.isUp && migration.isDone },
                    HealthCheck("rabbitmq") { publisher.isUp },
                ],
                problems: [.postgres], isOpen: { _ in migration.isDone },
                description: APIDescription(
                    "message-centre", about: "Keeps messages for their producers, and sends them until acknowledged.",
                    operations: CentreRoutes.operations + OperatorRoutes.operations + DiagnosisRoutes.operations
                        + (faults == nil ? [] : FaultRoutes.operations))
            ) { _, guarded in
                CentreRoutes(centre: centre, producers: producers).add(to: guarded)
                OperatorRoutes(centre: centre, checkBack: checkBack).add(to: guarded)
                diagnosis.add(to: guarded)
                faults?.add(to: guarded)
            }
            return [
                database, migration, http, publisher,
                AfterStartup(step: migration, service: relay), AfterStartup(step: migration, service: outcomes),
                AfterStartup(step: migration, service: checkBack), server,
            ]
        }
    }
}
