import SettleCore
import Foundation
import SettleServiceKit
import Settle
import ShopContract

/// An order that is about to be written.
struct NewOrder: Sendable {
    let id: UUID
    let userName: String
    let items: [Order.Item]
    let total: Int64
    let spendPoints: Int64
    let mode: OrderMode
    /// Nil in the modes `message` and `centre`, but where there are flash items.
    let transaction: GlobalTransaction?
    let idempotencyKey: String?
    let fingerprint: String?
    /// Milliseconds since 1970.
    let createdMilliseconds: Int64

    var createdAt: Date { Date(timeIntervalSince1970: Double(createdMilliseconds) / 1000) }
    var payMoney: Int64 { total - spendPoints }

    /// - Parameters:
    ///   - id: a new one.
    ///   - prices: what each product costs.
    ///   - transaction: under which the stock was taken; nil where a task, or a message, will take it.
    /// - Throws: a problem for a product without a price, a total beyond what can be counted, or more points spent than
    ///   that.
    init(
        _ request: OrderRequest, id: UUID, prices: [ByteKey: Int64], idempotencyKey: String?,
        transaction: GlobalTransaction? = nil
    ) throws {
        let now = Date()
        self.id = id
        self.transaction = transaction
        createdMilliseconds = Int64(now.timeIntervalSince1970 * 1000)
        userName = request.userName
        mode = request.mode
        spendPoints = request.spendPoints
        self.idempotencyKey = idempotencyKey
        fingerprint = idempotencyKey.map { _ in request.fingerprint }
        items = try request.items.map { item in
            guard let price = prices[ByteKey(item.sku)] else {
                throw Problem.notFound("there is no product '\(item.sku)'")
            }
            return Order.Item(sku: item.sku, quantity: item.quantity, unitPrice: price)
        }
        total = try items.reduce(0) { sum, item in
            let (line, lineOverflow) = item.unitPrice.multipliedReportingOverflow(by: item.quantity)
            let (total, overflow) = sum.addingReportingOverflow(line)
            guard !lineOverflow, !overflow else { throw Problem.unprocessable("items cost more than can be counted") }
            return total
        }
        guard spendPoints <= total else {
            throw Problem.unprocessable("spendPoints must not be more than the price, \(total)")
        }
    }

    private var key: String { id.uuidString.lowercased() }
    private var taken: StockChange {
        StockChange(orderId: key, items: items.map { StockItem(sku: $0.sku, quantity: $0.quantity) })
    }

    /// The task that this order begins with, in the trace of the request that is being answered.
    func firstTask() throws -> TaskDraft {
        let task = OrderFlow.first(isTaken: transaction != nil)
        return switch task {
        case .deductStock, .restock: try TaskDraft(task.route, businessKey: key, body: taken)
        case .addPoint, .refundPoint:
            try TaskDraft(
                task.route, businessKey: key, body: AddPoint(userName: userName, orderId: key, point: payMoney))
        }
    }

    /// The message that it begins with in mode `centre`, likewise.
    func firstMessage() throws -> MessageDraft {
        try MessageDraft(ShopRoutes.centreDeductStock, businessKey: key, body: taken)
    }
}
