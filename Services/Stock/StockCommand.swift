import SettleServiceKit
import SettleHTTP
import SettleSchema
import ShopContract
import ShopStockSchema

@main
enum StockCommand {
    static let command = ServiceCommand(
        "stock",
        about: """
            Products, their prices and how many there are. Receives the tasks deductstock and restock, does each once and \
            answers.
            """,
        port: 8081, peers: ShopServices.all,
        settings: SettleSettings.messages + SettleSettings.transactions
            + SettleSettings.participant(initiators: [ShopServices.order]))

    static func main() async {
        await ServiceMain.run(command) { boot in
            let infrastructure = try Infrastructure(
                boot,
                library: [
                    ("settle-transactions", SettleSchema.transactions), ("settle-at", SettleSchema.at),
                    ("settle-set-aside", SettleSchema.setAside),
                ],
                migrations: [("stock", StockSchema.migrations)])
            let database = infrastructure.database
            let messaging = try Messaging(
                boot, infrastructure, routes: [ShopRoutes.deductStock, ShopRoutes.restock],
                deadLetters: ShopRoutes.deadLetters)
            let consumer = messaging.consumer([
                messaging.inbox(ShopRoutes.deductStock, applier: DeductStockApplier(database: messaging.database)),
                messaging.inbox(ShopRoutes.restock, applier: RestockApplier(database: messaging.database)),
            ])
            let http = OutboundHTTP(logger: boot.logger)
            let participation = try Participation(
                boot, infrastructure, handlers: Deduct.handlers, initiators: [ShopServices.order],
                failpoints: messaging.failpoints,
                over: http)
            let server = HTTPService(
                boot, checks: infrastructure.checks + [messaging.check(consumer)] + participation.checks,
                problems: [.branches, .postgres], middlewares: [BranchMiddleware()],
                isOpen: infrastructure.isOpen
            ) { open, guarded in
                ProductRoutes(database: database).add(to: open, guarded: guarded)
                DeadLetterRoutes(messaging.setAside).add(to: guarded)
                ParticipantRoutes(participation).add(actions: [ShopActions.deduct], to: guarded)
            }
            return infrastructure.services + [http] + messaging.services + participation.services + [
                infrastructure.afterMigration(consumer), server,
            ]
        }
    }
}
