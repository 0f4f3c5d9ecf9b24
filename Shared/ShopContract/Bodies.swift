public import Settle

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
    /// The points that the order spends, which stock has user-points take once the items are taken; nil: order does so
    /// itself, or there are none.
    public let spend: PointSpending?

    /// One order's items.
    public init(orderId: String, items: [StockItem], xid: String? = nil, spend: PointSpending? = nil) {
        self.orderId = orderId
        self.items = items
        self.xid = xid
        self.spend = spend
    }
}

/// What stock has user-points do for an order.
public struct PointSpending: Codable, Sendable, Equatable {
    /// Whose points.
    public let userName: String
    /// How many.
    public let point: Int64
    /// How user-points takes them.
    public let mode: BranchMode

    /// An order's points.
    public init(userName: String, point: Int64, mode: BranchMode) {
        self.userName = userName
        self.point = point
        self.mode = mode
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
