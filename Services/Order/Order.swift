import Foundation
import SettlePostgres
import Settle

/// An order, as clients see it.
struct Order: Encodable, Sendable {
    struct Item: Codable, Sendable {
        let sku: String
        let quantity: Int64
        let unitPrice: Int64
    }

    let id: UUID
    let userName: String
    let items: [Item]
    let total: Int64
    let spendPoints: Int64
    let payMoney: Int64
    let point: Int64
    let status: String
    let mode: OrderMode
    let xid: String?
    let reason: String?
    let createdAt: Date

    /// As it stands in paths, messages and logs.
    var key: String { id.uuidString.lowercased() }

    private enum CodingKeys: CodingKey {
        case id, userName, items, total, spendPoints, payMoney, point, status, mode, xid, reason, createdAt
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(key, forKey: .id)
        try values.encode(userName, forKey: .userName)
        try values.encode(items, forKey: .items)
        try values.encode(total, forKey: .total)
        try values.encode(spendPoints, forKey: .spendPoints)
        try values.encode(payMoney, forKey: .payMoney)
        try values.encode(point, forKey: .point)
        try values.encode(status, forKey: .status)
        try values.encode(mode, forKey: .mode)
        try values.encode(xid, forKey: .xid)  // null without a global transaction, and said so
        try values.encodeIfPresent(reason, forKey: .reason)
        try values.encode(createdAt, forKey: .createdAt)
    }

    /// The items come as one JSON text: one row per order, whatever it holds.
    static let columns = """
        id, user_name, total, spend_points, pay_money, point, status, mode, xid, reason, created_at,
        (SELECT json_agg(json_build_object('sku', sku, 'quantity', quantity, 'unitPrice', unit_price) ORDER BY sku)
         FROM order_item WHERE order_id = orders.id)
        """

    init(row: PostgresRow) throws {
        id = try row.decode(UUID.self, at: 0)
        userName = try row.decode(String.self, at: 1)
        total = try row.decode(Int64.self, at: 2)
        spendPoints = try row.decode(Int64.self, at: 3)
        payMoney = try row.decode(Int64.self, at: 4)
        point = try row.decode(Int64.self, at: 5)
        status = try row.decode(String.self, at: 6)
        let column = try row.decode(String.self, at: 7)
        guard let mode = OrderMode(column: column) else {
            throw UnreadableMessage(description: "orders.mode holds an impossible value: \(column)")
        }
        self.mode = mode
        xid = try row.decode(String?.self, at: 8)
        reason = try row.decode(String?.self, at: 9)
        createdAt = try row.decode(Date.self, at: 10)
        items = try JSONDecoder().decode([Item].self, from: Data(try row.decode(String.self, at: 11).utf8))
    }

    init(_ new: NewOrder) {
        id = new.id
        userName = new.userName
        items = new.items
        total = new.total
        spendPoints = new.spendPoints
        payMoney = new.payMoney
        point = new.payMoney
        status = "placed"
        mode = new.mode
        xid = new.transaction?.xid.rawValue
        reason = nil
        createdAt = new.createdAt
    }
}

/// An order with its tasks, live and archived; in mode `centre` they are messages, and look alike.
struct OrderDetails: Encodable, Sendable {
    enum Steps: Sendable {
        case tasks([TaskRecord])
        case messages([MessageRecord])
    }

    let order: Order
    let steps: Steps

    private enum CodingKeys: CodingKey { case tasks }

    func encode(to encoder: any Encoder) throws {
        try order.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch steps {
        case .tasks(let tasks): try values.encode(tasks, forKey: .tasks)
        case .messages(let messages): try values.encode(messages, forKey: .tasks)
        }
    }
}
