import ShopPointsSchema
import SettleServiceKit
import SettleHTTP
import SettleSchema
import ShopContract

@main
enum UserPointsCommand {
    static let command = ServiceCommand(
        "user-points",
        about: """
            The balances of users, and the points that their orders earn. Receives the tasks addpoint and refundpoint, \
            does each once and answers.
            """,
        port: 8082, peers: ShopServices.all,
        settings: SettleSettings.messages + SettleSettings.transactions
            + SettleSettings.participant(initiators: [ShopServices.order]) + CustomerSettings.table.settings)

    static func main() async {
        await ServiceMain.run(command) { boot in
            let infrastructure = try Infrastructure(
                boot,
                library: [
                    ("settle-transactions", SettleSchema.transactions), ("settle-at", SettleSchema.at),
                    ("settle-set-aside", SettleSchema.setAside),
                ],
                migrations: [("user-points", PointsSchema.migrations)])
            let database = infrastructure.database
            let messaging = try Messaging(
                boot, infrastructure, routes: [ShopRoutes.addPoint, ShopRoutes.refundPoint],
                deadLetters: ShopRoutes.deadLetters)
            let consumer = messaging.consumer([
                messaging.inbox(ShopRoutes.addPoint, applier: AddPointApplier(database: messaging.database)),
                messaging.inbox(ShopRoutes.refundPoint, applier: RefundPointApplier(database: messaging.database)),
            ])
            let http = OutboundHTTP(logger: boot.logger)
            let participation = try Participation(
                boot, infrastructure, handlers: Spend.handlers, initiators: [ShopServices.order],
                failpoints: messaging.failpoints,
                over: http)
            let tokens = CustomerTokens(database: database)
            let areCustomersToldApart = try CustomerSettings.table.read(boot.reader).areToldApart
            let users = UserRoutes(
                database: database, makesTokens: areCustomersToldApart,
                customers: Customers(boot.settings.token, isTheirs: areCustomersToldApart ? tokens.isTheirs : nil))
            let server = HTTPService(
                boot, checks: infrastructure.checks + [messaging.check(consumer)] + participation.checks,
                problems: [.branches, .postgres], middlewares: [BranchMiddleware()],
                isOpen: infrastructure.isOpen
            ) { open, guarded in
                users.add(to: open, guarded: guarded)
                CustomerRoutes(tokens: tokens).add(to: guarded)
                DeadLetterRoutes(messaging.setAside).add(to: guarded)
                ParticipantRoutes(participation).add(actions: [ShopActions.spend], to: guarded)
            }
            return infrastructure.services + [http] + messaging.services + participation.services + [
                infrastructure.afterMigration(consumer), server,
            ]
        }
    }
}
