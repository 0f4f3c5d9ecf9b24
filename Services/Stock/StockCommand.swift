import ArgumentParser
import ServiceKit
import ShopContract
import StockSchema

@main
struct StockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stock",
        abstract: "Products, their prices and how many there are.",
        discussion: """
            Receives the tasks deductstock and restock, does each once and answers. Settings come from the flags below, \
            else from the environment; SETTLE_TOKEN, which guards the internal routes, from the environment only.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var messaging: MessagingOptions

    func run() async throws {
        try await ServiceMain.run("stock", defaultPort: 8081, options: common, flags: messaging.flags) { boot in
            let infrastructure = try Infrastructure(boot, migrations: [("stock", StockSchema.migrations)])
            let database = infrastructure.database
            let messaging = try Messaging(
                boot, infrastructure, routes: [ShopRoutes.deductStock, ShopRoutes.restock],
                deadLetters: ShopRoutes.deadLetters)
            let consumer = messaging.consumer([
                messaging.inbox(ShopRoutes.deductStock, applier: DeductStockApplier(database: database)),
                messaging.inbox(ShopRoutes.restock, applier: RestockApplier(database: database)),
            ])
            let http = HTTPService(
                boot, checks: infrastructure.checks + [messaging.check(consumer)], problems: [.postgres],
                isOpen: { infrastructure.migration.isDone }
            ) { open, guarded in
                ProductRoutes(database: database).add(to: open, guarded: guarded)
            }
            return infrastructure.services + [messaging.publisher, consumer, http]
        }
    }
}
