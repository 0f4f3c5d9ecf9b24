import Settle
import SettlePostgres
import ShopContract

/// What orders say that the books of stock and user-points hold: the items and points of those that are settled, and nothing
/// of all others.
enum OrderBooks {
    /// Its kinds of lines, as both sides write them.
    static let taken = "taken"
    static let earned = "earned"
    static let spent = "spent"

    static let stock = LedgerSource(keys: .uuid, hasAdjustments: false) { scope in
        """
        SELECT o.id::text, i.sku, '\(taken)', i.quantity FROM orders o JOIN order_item i ON i.order_id = o.id
        WHERE \(scope("o.id")) AND \(scope("i.order_id")) AND o.status = 'settled'
        """
    }

    static let points = LedgerSource(keys: .uuid, hasAdjustments: false) { scope in
        """
        SELECT o.id::text, o.user_name, line.kind, line.amount
        FROM orders o CROSS JOIN LATERAL (VALUES ('\(earned)', o.point), ('\(spent)', o.spend_points)) line (kind, amount)
        WHERE \(scope("o.id")) AND o.status = 'settled' AND line.amount > 0
        """
    }
}
