import Foundation
import HTTPTypes
import Hummingbird
import ShopContract
import SettleServiceKit

/// `/orders`
struct OrderRoutes {
    struct Orders: Encodable {
        let orders: [Order]
        let next: String?
    }

    let place: PlaceOrder
    let store: OrderStore
    let customers: Customers

    func add(to open: ServiceRoutes) {
        open.post("orders") { request, context in
            let key = try idempotencyKey(of: request)
            let body = try await requireJSON(OrderRequest.self, from: request, context: context)
            try body.check()
            // Before the key is looked up: nobody gets another customer's order by it.
            try await customers.caller(of: request).require(body.userName)
            switch try await place(body, idempotencyKey: key) {
            case .new(let order): return try answer(order, status: .created)
            case .before(let order): return try answer(order, status: .ok)
            }
        }
        open.get("orders/:id") { request, context in
            let caller = try customers.caller(of: request)
            let order = try await find(try context.pathParameter("id"))
            // Asked for an order that is not there, too: how the answer comes must not tell whether somebody has one.
            guard try await caller.isAllowed(order?.order.userName ?? ""), let order else {
                throw Problem.notFound("there is no such order")
            }
            return try Response.json(order)
        }
        open.get("orders") { request, _ in
            let userName = try request.queryString("userName", 1...64)
            try await customers.caller(of: request).require(userName)
            let limit = try request.queryInteger("limit", in: 1...200, default: 50)
            let (orders, next) = try await store.orders(
                userName: userName,
                status: try request.queryChoice("status", of: ["placed", "settled", "cancelling", "cancelled"]),
                before: try before(request), limit: limit)
            return try Response.json(Orders(orders: orders, next: next?.uuidString.lowercased()))
        }
    }

    private func find(_ id: String) async throws -> OrderDetails? {
        guard let id = UUID(uuidString: id) else { return nil }
        return try await store.order(id)
    }

    private func answer(_ order: Order, status: HTTPResponse.Status) throws -> Response {
        try Response.json(order, status: status, headers: [.location: "/orders/\(order.key)"])
    }

    private func before(_ request: Request) throws -> UUID? {
        guard let text = try request.queryString("before") else { return nil }
        guard let id = UUID(uuidString: text) else {
            throw Problem.unprocessable("before must be the id of an order, as 'next' gives it")
        }
        return id
    }

    private func idempotencyKey(of request: Request) throws -> String? {
        guard let name = HTTPField.Name("Idempotency-Key"), let key = request.headers[name] else { return nil }
        try Check.length("Idempotency-Key", key, 1...255)
        return key
    }
}
