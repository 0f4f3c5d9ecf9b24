public import SettleServiceKit

/// The shop's services as they know each other.
public enum ShopServices {
    /// Places orders.
    public static let order = PeerService("order", port: 8080)
    /// Has the products.
    public static let stock = PeerService("stock", port: 8081)
    /// Has the balances of users.
    public static let userPoints = PeerService("user-points", settings: "points", port: 8082)

    /// All three.
    public static let all = [order, stock, userPoints]
}

/// What participants do in global transactions: the last part of `POST /branches/…`.
public enum ShopActions {
    /// Of stock: takes the items of an order.
    public static let deduct = "deduct"
    /// Of user-points: takes the points that an order spends.
    public static let spend = "spend"
}
