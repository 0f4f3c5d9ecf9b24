import SettleCore
import Foundation
import Logging
import SettleServiceKit
import Settle
import ShopContract

/// Places an order: the use case behind `POST /orders`.
struct PlaceOrder: Sendable {
    enum Placed {
        case new(Order)
        case before(Order)
    }

    /// Whether orders can be written.
    let writes = WriteHealth()
    private let stock: StockClient
    private let points: PointsClient
    private let initiator: TransactionInitiator
    private let producer: MessageProducer
    private let store: OrderStore
    private let writer: OrderWriter
    private let failpoints: Failpoints
    private let logger: Logger

    init(
        _ settle: Settle, producer: MessageProducer, stock: StockClient, points: PointsClient, store: OrderStore,
        logger: Logger
    ) {
        self.producer = producer
        self.stock = stock
        self.points = points
        self.store = store
        self.logger = logger
        initiator = settle.initiator
        failpoints = settle.configuration.failpoints
        writer = OrderWriter(
            database: settle.database, outbox: settle.outbox, producer: producer, initiator: initiator,
            failpoints: failpoints)
    }

    /// - Parameter request: checked; whoever asks may order for its user.
    func callAsFunction(_ request: OrderRequest, idempotencyKey: String?) async throws -> Placed {
        try writer.admit()
        if let idempotencyKey, let before = try await placedBefore(request, idempotencyKey) { return before }
        let (order, written) =
            switch request.mode {
            case .message: try await byTasks(request, idempotencyKey)
            case .centre: try await byCentre(request, idempotencyKey)
            case .global(let stock, let points, let via):
                try await globally(request, idempotencyKey, stock, points, via)
            }
        switch written {
        case .written:
            let order = Order(order)
            logger.debug("order placed", metadata: ["orderId": "\(order.key)", "xid": "\(order.xid ?? "none")"])
            return .new(order)
        case .keyTaken:
            // The same key came twice at once, and the other was first.
            if let idempotencyKey, let before = try await placedBefore(request, idempotencyKey) { return before }
            throw Problem.unavailable("another request with this Idempotency-Key is being handled")
        }
    }

    /// The order first; its stock and its points follow.
    ///
    /// But flash items are taken at once, and then all is: one order is decided once.
    private func byTasks(_ request: OrderRequest, _ key: String?) async throws -> (NewOrder, OrderWriter.Written) {
        let (prices, hasFlash) = try await stock.prices(of: request.items.map(\.sku).byteKeys)
        if hasFlash { return try await globally(request, key, .saga, .saga) }
        let order = try NewOrder(request, id: .v7(), prices: prices, idempotencyKey: key)
        return (order, try await write(order, first: .task(try order.firstTask())))
    }

    /// The order's message is saved before the order: should this process die in between, it is given up.
    private func byCentre(_ request: OrderRequest, _ key: String?) async throws -> (NewOrder, OrderWriter.Written) {
        let (prices, hasFlash) = try await stock.prices(of: request.items.map(\.sku).byteKeys)
        if hasFlash { return try await globally(request, key, .saga, .saga) }
        let order = try NewOrder(request, id: .v7(), prices: prices, idempotencyKey: key)
        let message = try order.firstMessage()
        try await writes.noting { try await producer.save(message) }
        return (order, try await write(order, first: .message(message.id)))
    }

    /// Stock and points first; then the order, whose commit decides. Whatever fails, nothing stays taken.
    ///
    /// Stock always before points. At the same time would be faster, but then two orders could each hold the row that the
    /// other one waits for, one here and one there, which no database sees: both would stand until a time limit.
    private func globally(
        _ request: OrderRequest, _ key: String?, _ stockMode: BranchMode, _ pointsMode: BranchMode,
        _ via: OrderMode.PointsVia = .order
    ) async throws -> (NewOrder, OrderWriter.Written) {
        var attempted: NewOrder?
        do {
            return try await initiator.run { transaction in
                let id = UUID.v7()
                let orderId = id.uuidString.lowercased()
                let further =
                    via == .stock && request.spendPoints > 0
                    ? PointSpending(userName: request.userName, point: request.spendPoints, mode: pointsMode) : nil
                let prices = try await stock.deduct(orderId, request.items, mode: stockMode, spend: further)
                if request.spendPoints > 0, further == nil {
                    let spending = AddPoint(userName: request.userName, orderId: orderId, point: request.spendPoints)
                    try await points.spend(spending, mode: pointsMode)
                }
                let order = try NewOrder(
                    request, id: id, prices: prices, idempotencyKey: key, transaction: transaction)
                try failpoints.reach("order.branchesDone")
                attempted = order
                guard case .written = try await write(order, first: .task(try order.firstTask()))
                else { throw KeyTaken(order: order) }
                return (order, .written)
            }
        } catch let taken as KeyTaken {
            return (taken.order, .keyTaken)
        } catch let committed as TransactionCommitted {
            // Only the word of the commit was lost on its way; order and decision are one.
            guard let attempted else { throw committed.error }
            return (attempted, .written)
        }
    }

    /// Ends a global transaction whose order is not to be written.
    private struct KeyTaken: Error {
        let order: NewOrder
    }

    private func write(_ order: NewOrder, first: OrderWriter.First) async throws -> OrderWriter.Written {
        try await writes.noting { try await writer.write(order, first: first) }
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
