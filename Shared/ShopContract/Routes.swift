public import Settle

/// The types of task that the three services send each other.
public enum ShopRoutes {
    /// order → user-points: the order has earned points.
    public static let addPoint = route("addpoint")
    /// order → stock, in mode `message`: take the order's items.
    public static let deductStock = route("deductstock")
    /// order → stock: give the order's items back.
    public static let restock = route("restock")
    /// order → user-points: give the points back that the order spent.
    public static let refundPoint = route("refundpoint")
    /// All of them.
    public static let all = [addPoint, deductStock, restock, refundPoint]

    /// The same in mode `centre`: messages that the message centre sends.
    public static let centreAddPoint = centred(addPoint)
    /// See ``deductStock``.
    public static let centreDeductStock = centred(deductStock)
    /// See ``restock``.
    public static let centreRestock = centred(restock)

    /// Where unreadable messages are kept.
    public static let deadLetters = DeadLetterRoute(exchange: "ex_buying_dead", queue: "cg_buying_dead")

    private static func centred(_ route: TaskRoute) -> MessageRoute {
        MessageRoute(
            type: route.taskType, exchange: route.exchange, routingKey: "centre.\(route.routingKey)",
            queue: "cg_buying_centre_\(route.routingKey)")
    }

    private static func route(_ taskType: String) -> TaskRoute {
        TaskRoute(taskType: taskType, exchange: "ex_buying_addpointurse", queuePrefix: "cg_buying_")
    }
}
