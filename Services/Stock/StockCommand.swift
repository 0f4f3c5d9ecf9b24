import SettleServiceKit
import Settle
import SettleHTTP
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
            let settle = try Settle(
                boot, routes: [ShopRoutes.deductStock, ShopRoutes.restock], deadLetters: ShopRoutes.deadLetters)
            settle.migrations(StockSchema.migrations)
            settle.receive(ShopRoutes.deductStock, applier: DeductStockApplier(database: settle.messageDatabase))
            let flash = try FlashKeeper(boot, settle)
            let restock = RestockApplier(database: settle.messageDatabase, given: flash.given)
            settle.receive(ShopRoutes.restock, applier: restock)
            let centre = try settle.messageCentre(boot, ShopServices.messageCentre)
            settle.receive(
                ShopRoutes.centreDeductStock, applier: DeductStockApplier(database: settle.messageDatabase),
                through: centre)
            settle.receive(ShopRoutes.centreRestock, applier: restock, through: centre)
            settle.ledger(
                StockLedger.source, balances: StockLedger.table(in: settle.database, logger: boot.logger))
            try settle.participate(
                boot, Deduct.handlers + [.mt(ShopActions.deduct, FlashDeduct(keeper: flash), then: Deduct.spending)],
                initiators: [ShopServices.order], participants: [ShopServices.userPoints])
            let server = settle.server(
                boot,
                description: APIDescription(
                    "stock", about: "Products, their prices and how many there are.",
                    operations: ProductRoutes.operations),
                actions: [Deduct.description]
            ) { open, guarded in
                ProductRoutes(database: settle.database, keeper: flash).add(to: open, guarded: guarded)
            }
            return settle.services + [flash.stock.redis, flash, server]
        }
    }
}
