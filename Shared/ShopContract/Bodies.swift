/// What `addpoint` asks to add, `refundpoint` to give back and the branch `spend` to take.
public struct AddPoint: Codable, Sendable, Equatable {
    /// Whose balance.
    public let userName: String
    /// For which order; points are added once for each.
    public let orderId: String
    /// How many points; not negative.
    public let point: Int64

    /// One order's points.
    public init(userName: String, orderId: String, point: Int64) {
        self.userName = userName
        self.orderId = orderId
        self.point = point
    }
}

/// What `deductstock` asks to take and `restock` to give back.
public struct StockChange: Codable, Sendable, Equatable {
    /// For which order; each action is done once for each.
    public let orderId: String
    /// All of them, or none.
    public let items: [StockItem]
    /// The global transaction that took them; nil when a task did.
    public let xid: String?

    /// One order's items.
    public init(orderId: String, items: [StockItem], xid: String? = nil) {
        self.orderId = orderId
        self.items = items
        self.xid = xid
    }
}

/// So many of one product.
public struct StockItem: Codable, Sendable, Hashable {
    /// Which product.
    public let sku: String
    /// How many; from 1.
    public let quantity: Int64

    /// So many of one product.
    public init(sku: String, quantity: Int64) {
        self.sku = sku
        self.quantity = quantity
    }
}
