import ArgumentParser
import SettleServiceKit
import SettleHTTP
import SettleSchema
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
            let infrastructure = try Infrastructure(
                boot,
                library: [SettleSchema.transactions, SettleSchema.at, SettleSchema.setAside],
                migrations: [StockSchema.migrations])
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
