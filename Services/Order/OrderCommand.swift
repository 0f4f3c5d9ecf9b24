import ShopOrderSchema
import SettleServiceKit
import SettleHTTP
import Settle
import SettleSchema
import ShopContract

@main
enum OrderCommand {
    static let command = ServiceCommand(
        "order", about: "Places orders, and sends tasks until each order is settled or cancelled.",
        port: 8080, peers: ShopServices.all,
        settings: SettleSettings.messages + SettleSettings.tasks + SettleSettings.transactions
            + CustomerSettings.table.settings)

    static func main() async {
        await ServiceMain.run(command) { boot in
            let infrastructure = try Infrastructure(
                boot,
                library: [
                    ("settle-tasks", SettleSchema.tasks), ("settle-transactions", SettleSchema.transactions),
                    ("settle-set-aside", SettleSchema.setAside),
                ], migrations: [("order", OrderSchema.migrations)])
            let database = infrastructure.database
            let messaging = try Messaging(
                boot, infrastructure, routes: ShopRoutes.all, deadLetters: ShopRoutes.deadLetters,
                failpoints: ["order.branchesDone", "order.beforeCommit", "order.committed"])
            let scheduler = TaskScheduler(
                settings: try TaskSettings.table.read(boot.reader), database: database, publisher: messaging.publisher,
                keys: messaging.keys, logger: boot.logger)
            let settlement = Settlement(outbox: scheduler.outbox)
            let listener = FinishListener(
                scheduler: scheduler, setAside: messaging.setAside, database: messaging.database,
                probe: RowProbe(messaging.database, table: "orders", key: "id", type: "uuid"),
                failpoints: messaging.failpoints, logger: boot.logger, handler: settlement.follow)
            let consumer = messaging.consumer(ShopRoutes.all.map { listener.subscription(to: $0) })
            // As many as may wait at once for a row that all want: who wants another must not queue behind them.
            var connections = OutboundHTTP.Options()
            connections.connectionsPerHost = 512
            let http = OutboundHTTP(connections, logger: boot.logger)
            // Connections of its own: branches wait for rows that phase 2 frees, and must not keep it waiting in turn.
            let phase2 = OutboundHTTP(logger: boot.logger)
            let participants = ServiceDirectory(
                try [ShopServices.stock, ShopServices.userPoints].map { ($0.name, try boot.settings.url(of: $0)) })
            let initiator = TransactionInitiator(
                name: boot.name, selfURL: try boot.initiatorURL(ShopServices.order), database: database,
                participants: HTTPTransactionPeers(participants, over: phase2, token: boot.settings.token),
                settings: try TransactionSettings.table.read(boot.reader), failpoints: messaging.failpoints,
                logger: boot.logger)
            let store = OrderStore(database: database, tasks: scheduler.store)
            let writes = WriteHealth()
            let points = PointsClient(try boot.client(ShopServices.userPoints, over: http))
            let customers = Customers(
                boot.settings.token,
                isTheirs: try CustomerSettings.table.read(boot.reader).areToldApart
                    ? CustomerTokens(points).isTheirs : nil)
            let place = PlaceOrder(
                stock: StockClient(try boot.client(ShopServices.stock, over: http)), points: points,
                initiator: initiator, store: store,
                writer: OrderWriter(
                    database: database, outbox: scheduler.outbox, initiator: initiator, failpoints: messaging.failpoints
                ),
                writes: writes, failpoints: messaging.failpoints, logger: boot.logger)
            let server = HTTPService(
                boot,
                checks: infrastructure.checks + [
                    messaging.check(consumer), HealthCheck("writes") { writes.isWell },
                ],
                problems: [.participants, .transactions, .postgres],
                isOpen: infrastructure.isOpen
            ) { open, guarded in
                OrderRoutes(place: place, store: store, customers: customers).add(to: open)
                TaskRoutes(scheduler).add(to: guarded)
                DeadLetterRoutes(messaging.setAside).add(to: guarded)
                InitiatorRoutes(initiator).add(to: guarded)
            }
            return infrastructure.services + [
                http, phase2,
            ] + messaging.services + [
                infrastructure.afterMigration(scheduler), infrastructure.afterLibraryMigration(initiator),
                infrastructure.afterMigration(consumer), server,
            ]
        }
    }
}
