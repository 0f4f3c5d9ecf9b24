import ArgumentParser
import ShopPointsSchema
import SettleServiceKit
import SettleHTTP
import SettleSchema
import ShopContract

@main
struct UserPointsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user-points",
        abstract: "The balances of users, and the points that their orders earn.",
        discussion: """
            Receives the task addpoint, adds the points once and answers. Settings come from the flags below, else from \
            the environment; SETTLE_TOKEN, which guards the internal routes, and MESSAGE_KEYS, which sign messages, from \
            the environment only.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var shop: ShopOptions
    @OptionGroup var messaging: MessagingOptions
    @OptionGroup var transactions: TransactionOptions
    @OptionGroup var participant: ParticipantOptions
    @OptionGroup var customers: CustomerOptions

    func run() async throws {
        let flags = messaging.flags.merging(transactions.flags) { $1 }.merging(participant.flags) { $1 }
            .merging(shop.flags) { $1 }
            .merging(customers.flags) { $1 }
        try await ServiceMain.run(
            "user-points", defaultPort: 8082, peers: ShopServices.all, options: common, flags: flags
        ) { boot in
            let infrastructure = try Infrastructure(
                boot,
                library: [SettleSchema.transactions, SettleSchema.at, SettleSchema.setAside],
                migrations: [PointsSchema.migrations])
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
            let areCustomersToldApart = try CustomerOptions.areToldApart(boot.reader)
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
