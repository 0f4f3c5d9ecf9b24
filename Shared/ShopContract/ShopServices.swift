public import SettleServiceKit

/// The shop's services as they know each other.
public enum ShopServices {
    /// Places orders.
    public static let order = PeerService("order", port: 8080)
    /// Has the products.
    public static let stock = PeerService("stock", port: 8081)
    /// Has the balances of users.
    public static let userPoints = PeerService("user-points", settings: "points", port: 8082)

    /// Keeps the messages of orders in mode `centre`.
    public static let messageCentre = PeerService("message-centre", settings: "centre", port: 8083)

    /// Breaks the others, for demonstrations; there only where somebody wants that.
    public static let faultAgent = PeerService("fault-agent", port: 8084)

    /// All of the shop.
    public static let all = [order, stock, userPoints, messageCentre]
    /// Those whose messages the message centre may be asked to keep.
    public static let producers = [order, stock, userPoints]
}

/// What participants do in global transactions: the last part of `POST /branches/…`.
public enum ShopActions {
    /// Of stock: takes the items of an order.
    public static let deduct = "deduct"
    /// Of user-points: takes the points that an order spends.
    public static let spend = "spend"
}
