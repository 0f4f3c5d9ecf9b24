import ShopPointsSchema
import SettleServiceKit
import Settle
import SettleHTTP
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
            let settle = try Settle(
                boot, routes: [ShopRoutes.addPoint, ShopRoutes.refundPoint], deadLetters: ShopRoutes.deadLetters)
            settle.migrations(PointsSchema.migrations)
            settle.receive(ShopRoutes.addPoint, applier: AddPointApplier(database: settle.messageDatabase))
            settle.receive(ShopRoutes.refundPoint, applier: RefundPointApplier(database: settle.messageDatabase))
            settle.receive(
                ShopRoutes.centreAddPoint, applier: AddPointApplier(database: settle.messageDatabase),
                through: try settle.messageCentre(boot, ShopServices.messageCentre))
            settle.ledger(
                PointsLedger.source, balances: PointsLedger.table(in: settle.database, logger: boot.logger))
            try settle.participate(boot, Spend.handlers, initiators: [ShopServices.order])
            let tokens = CustomerTokens(database: settle.database)
            let areCustomersToldApart = try CustomerSettings.table.read(boot.reader).areToldApart
            let users = UserRoutes(
                database: settle.database, makesTokens: areCustomersToldApart,
                customers: Customers(boot.settings.token, isTheirs: areCustomersToldApart ? tokens.isTheirs : nil))
            let server = settle.server(
                boot,
                description: APIDescription(
                    "user-points", about: "The balances of users, and the points that their orders earn.",
                    operations: UserRoutes.operations + CustomerRoutes.operations),
                actions: [Spend.description]
            ) { open, guarded in
                users.add(to: open, guarded: guarded)
                CustomerRoutes(tokens: tokens).add(to: guarded)
            }
            return settle.services + [server]
        }
    }
}
