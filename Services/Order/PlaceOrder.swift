import Logging
import ServiceKit
import ShopContract

/// Places an order: the use case behind `POST /orders`.
struct PlaceOrder: Sendable {
    enum Placed {
        case new(Order)
        case before(Order)
    }

    let stock: StockClient
    let store: OrderStore
    let writer: OrderWriter
    let logger: Logger

    func callAsFunction(_ request: OrderRequest, idempotencyKey: String?) async throws -> Placed {
        try request.check()
        if let idempotencyKey, let before = try await placedBefore(request, idempotencyKey) { return before }
        let prices = try await stock.prices(of: Set(request.items.map(\.sku)))
        let order = try NewOrder(request, prices: prices, idempotencyKey: idempotencyKey)
        switch try await writer.write(order) {
        case .written:
            let order = Order(order)
            logger.debug("order placed", metadata: ["orderId": "\(order.key)", "mode": "\(order.mode)"])
            return .new(order)
        case .keyTaken:
            // The same key came twice at once, and the other was first.
            if let idempotencyKey, let before = try await placedBefore(request, idempotencyKey) { return before }
            throw Problem.unavailable("another request with this Idempotency-Key is being handled")
        }
    }

    private func placedBefore(_ request: OrderRequest, _ key: String) async throws -> Placed? {
        guard let (order, isSame) = try await store.order(idempotencyKey: key, fingerprint: request.fingerprint) else {
            return nil
        }
        guard isSame else {
            throw Problem.unprocessable("Idempotency-Key was used with another body before")
        }
        return .before(order)
    }
}
