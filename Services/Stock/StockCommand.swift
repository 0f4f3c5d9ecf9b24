import ArgumentParser
import SettleServiceKit
import SettleHTTP
import Settle
import ShopContract
import ShopStockSchema

@main
struct StockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stock",
        abstract: "Products, their prices and how many there are.",
        discussion: """
            Receives the tasks deductstock and restock, does each once and answers. Settings come from the flags below, \
            else from the environment; SETTLE_TOKEN, which guards the internal routes, and MESSAGE_KEYS, which sign \
            messages, from the environment only.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var shop: ShopOptions
    @OptionGroup var messaging: MessagingOptions
    @OptionGroup var transactions: TransactionOptions
    @OptionGroup var participant: ParticipantOptions

    func run() async throws {
        let flags = messaging.flags.merging(transactions.flags) { $1 }.merging(participant.flags) { $1 }
            .merging(shop.flags) { $1 }
        try await ServiceMain.run(
            "stock", defaultPort: 8081, peers: ShopServices.all, options: common, flags: flags
        ) { boot in
            let settle = try Settle(
                boot, routes: [ShopRoutes.deductStock, ShopRoutes.restock], deadLetters: ShopRoutes.deadLetters)
            settle.migrations("stock", StockSchema.migrations)
            settle.receive(ShopRoutes.deductStock, applier: DeductStockApplier(database: settle.messageDatabase))
            settle.receive(ShopRoutes.restock, applier: RestockApplier(database: settle.messageDatabase))
            try settle.participate(boot, Deduct.handlers, initiators: [ShopServices.order])
            let server = settle.server(boot) { open, guarded in
                ProductRoutes(database: settle.database).add(to: open, guarded: guarded)
            }
            return settle.services + [server]
        }
    }
}
