import ArgumentParser
import ShopOrderSchema
import SettleServiceKit
import SettleHTTP
import Settle
import ShopContract

@main
struct OrderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "order",
        abstract: "Places orders, and sends tasks until each order is settled or cancelled.",
        discussion: """
            Settings come from the flags below, else from the environment; SETTLE_TOKEN, which guards the internal \
            routes, and MESSAGE_KEYS, which sign messages, from the environment only.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var shop: ShopOptions
    @OptionGroup var messaging: MessagingOptions
    @OptionGroup var tasks: TaskOptions
    @OptionGroup var transactions: TransactionOptions
    @OptionGroup var customers: CustomerOptions

    func run() async throws {
        let flags = messaging.flags.merging(tasks.flags) { $1 }.merging(transactions.flags) { $1 }
            .merging(customers.flags) { $1 }.merging(shop.flags) { $1 }
        try await ServiceMain.run(
            "order", defaultPort: 8080, peers: ShopServices.all, options: common, flags: flags
        ) { boot in
            let settle = try Settle(
                boot, routes: ShopRoutes.all, deadLetters: ShopRoutes.deadLetters,
                failpoints: ["order.branchesDone", "order.beforeCommit", "order.committed"])
            settle.migrations("order", OrderSchema.migrations)
            settle.answers(
                to: ShopRoutes.all, probe: RowProbe(settle.messageDatabase, table: "orders", key: "id", type: "uuid"),
                batch: Settlement(outbox: settle.outbox).follow)
            try settle.initiate(
                boot, as: ShopServices.order, participants: [ShopServices.stock, ShopServices.userPoints])
            // As many as may wait at once for a row that all want: who wants another must not queue behind them.
            var connections = OutboundHTTP.Options()
            connections.connectionsPerHost = 512
            let http = OutboundHTTP(connections, logger: boot.logger)
            let store = OrderStore(database: settle.database, tasks: settle.tasks)
            let points = PointsClient(try boot.client(ShopServices.userPoints, over: http))
            let customers = Customers(
                boot.settings.token,
                isTheirs: try CustomerOptions.areToldApart(boot.reader) ? CustomerTokens(points).isTheirs : nil)
            let place = PlaceOrder(
                settle, stock: StockClient(try boot.client(ShopServices.stock, over: http)), points: points,
                store: store, logger: boot.logger)
            let server = settle.server(
                boot, checks: [HealthCheck("writes") { place.writes.isWell }], problems: [.participants]
            ) { open, _ in
                OrderRoutes(place: place, store: store, customers: customers).add(to: open)
            }
            return [http] + settle.services + [server]
        }
    }
}
