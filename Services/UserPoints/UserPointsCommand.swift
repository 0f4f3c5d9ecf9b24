import ArgumentParser
import ShopPointsSchema
import SettleServiceKit
import SettleHTTP
import Settle
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
            let settle = try Settle(
                boot, routes: [ShopRoutes.addPoint, ShopRoutes.refundPoint], deadLetters: ShopRoutes.deadLetters)
            settle.migrations("user-points", PointsSchema.migrations)
            settle.receive(ShopRoutes.addPoint, applier: AddPointApplier(database: settle.messageDatabase))
            settle.receive(ShopRoutes.refundPoint, applier: RefundPointApplier(database: settle.messageDatabase))
            try settle.participate(boot, Spend.handlers, initiators: [ShopServices.order])
            let tokens = CustomerTokens(database: settle.database)
            let areCustomersToldApart = try CustomerOptions.areToldApart(boot.reader)
            let users = UserRoutes(
                database: settle.database, makesTokens: areCustomersToldApart,
                customers: Customers(boot.settings.token, isTheirs: areCustomersToldApart ? tokens.isTheirs : nil))
            let server = settle.server(boot) { open, guarded in
                users.add(to: open, guarded: guarded)
                CustomerRoutes(tokens: tokens).add(to: guarded)
            }
            return settle.services + [server]
        }
    }
}
