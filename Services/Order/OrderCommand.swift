import ShopOrderSchema
import SettleServiceKit
import SettleHTTP
import Settle
import ShopContract

@main
enum OrderCommand {
    static let command = ServiceCommand(
        "order", about: "Places orders, and sends tasks until each order is settled or cancelled.",
        port: 8080, peers: ShopServices.all + [ShopServices.faultAgent],
        settings: SettleSettings.messages + SettleSettings.tasks + SettleSettings.producer
            + SettleSettings.transactions + SettleSettings.reconciliation + CustomerSettings.table.settings)

    static func main() async {
        await ServiceMain.run(command) { boot in
            let settle = try Settle(
                boot, routes: ShopRoutes.all, sendsThem: true, deadLetters: ShopRoutes.deadLetters,
                failpoints: ["order.branchesDone", "order.beforeCommit", "order.committed"])
            settle.migrations(OrderSchema.migrations)
            settle.answers(
                to: ShopRoutes.all, probe: RowProbe(settle.messageDatabase, table: "orders", key: "id", type: "uuid"),
                batch: { [outbox = settle.outbox] transaction, answered in
                    try Settlement(sending: .tasks(outbox)).follow(transaction, answered.map(Settlement.Answered.init))
                })
            let producer = try settle.produce(boot, through: ShopServices.messageCentre) {
                transaction, settled, sender in
                try Settlement(sending: .messages(sender)).follow(transaction, settled.map(Settlement.Answered.init))
            }
            try settle.initiate(
                boot, as: ShopServices.order, participants: [ShopServices.stock, ShopServices.userPoints])
            try settle.reconcile(
                boot, as: ShopServices.order,
                [(ShopServices.stock, OrderBooks.stock), (ShopServices.userPoints, OrderBooks.points)],
                business: OrderReconciliation(database: settle.database, outbox: settle.outbox))
            // As many as may wait at once for a row that all want: who wants another must not queue behind them.
            var connections = OutboundHTTP.Options()
            connections.connectionsPerHost = 512
            let http = OutboundHTTP(connections, logger: boot.logger)
            let store = OrderStore(database: settle.database, tasks: settle.tasks, producer: producer)
            let points = PointsClient(try boot.client(ShopServices.userPoints, over: http))
            let tellsCustomersApart = try CustomerSettings.table.read(boot.reader).areToldApart
            let customers = Customers(
                boot.settings.token, isTheirs: tellsCustomersApart ? CustomerTokens(points).isTheirs : nil)
            let clients = try ShopServices.all.map { (name: $0.name, client: try boot.client($0, over: http)) }
            // Only where faults may be switched is there anybody who does.
            let breaksOnDemand = settle.configuration.areFaultsSwitched
            let agents = try (breaksOnDemand ? [ShopServices.faultAgent] : []).map {
                (name: $0.name, client: try boot.client($0, over: http))
            }
            let participants = clients.filter {
                [ShopServices.stock, ShopServices.userPoints].map(\.name).contains($0.name)
            }
            let feed = Feed(
                store: FeedStore(database: settle.database), participants: participants, logger: boot.logger)
            let place = PlaceOrder(
                settle, producer: producer, stock: StockClient(try boot.client(ShopServices.stock, over: http)),
                points: points, store: store, logger: boot.logger)
            let server = settle.server(
                boot, checks: [HealthCheck("writes") { place.writes.isWell }], problems: [.participants],
                description: APIDescription(
                    "order", about: "Places orders, and sends tasks until each order is settled or cancelled.",
                    operations: OrderRoutes.operations + StoryRoutes.operations
                        + DashboardRoutes.operations(breaksOnDemand: breaksOnDemand))
            ) { open, guarded in
                DashboardRoutes(
                    feed: feed, session: Session(boot.settings.token), tellsCustomersApart: tellsCustomersApart,
                    breaksOnDemand: breaksOnDemand,
                    services: clients + agents
                ).add(to: open)
                OrderRoutes(place: place, store: store, customers: customers).add(to: open)
                StoryRoutes(
                    store: store, initiator: settle.decidingSide, participants: participants, logger: boot.logger
                ).add(to: guarded)
            }
            // The feed stops first: its streams would keep their connections, and with them the server.
            return [http] + settle.services + [server, feed]
        }
    }
}
