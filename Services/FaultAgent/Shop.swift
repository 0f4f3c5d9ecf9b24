import Foundation
import HTTPTypes
import Logging
import SettleHTTP
import SettleServiceKit
import ShopContract

/// The services as the agent asks them.
struct Shop: Sendable {
    private static let timeout: Duration = .seconds(2)

    let services: [(name: String, client: ServiceClient)]
    let logger: Logger

    init(_ services: [(name: String, client: ServiceClient)], logger: Logger) {
        self.services = services
        self.logger = logger
    }

    func client(_ name: String) throws -> ServiceClient {
        guard let client = services.first(where: { $0.name == name })?.client else {
            throw Problem.notFound("there is no such service")
        }
        return client
    }

    private var order: ServiceClient { get throws { try client(ShopServices.order.name) } }

    func book(_ peer: PeerService) throws -> HTTPLedgerBook { HTTPLedgerBook(try client(peer.name)) }

    // MARK: Breaking

    private struct Faults: Encodable {
        let faults: String
        let seconds: Int
    }

    private struct Deed: Encodable {
        let action: String
        let seconds: Int
    }

    private struct Process: Decodable {
        let process: UUID
    }

    /// Plans faults at a service in place of those that are planned there.
    func plan(_ faults: String, at service: String, seconds: Int) async throws {
        let client = try client(service)
        try check(await client.send(.put, "/faults", Faults(faults: faults, seconds: seconds), timeout: Self.timeout))
    }

    /// `kill`, `restart` or `pause`.
    func tell(_ service: String, _ action: String, seconds: Int) async throws {
        let client = try client(service)
        try check(
            await client.send(.post, "/faults/process", Deed(action: action, seconds: seconds), timeout: Self.timeout))
    }

    private func check(_ answer: ServiceAnswer) throws {
        guard answer.status == 202 else { throw ServiceClient.error(answer) }
    }

    /// Which process a service is now; nil while nobody answers.
    func process(of service: String) async -> UUID? {
        // That nobody answers is what the caller wants to know.
        try? await get(service, "/faults", as: Process.self, timeout: .seconds(1)).process
    }

    // MARK: Looking

    func get<Answer: Decodable>(
        _ service: String, _ path: String, as: Answer.Type = Answer.self, timeout: Duration = Self.timeout
    ) async throws -> Answer {
        let client = try client(service)
        return try client.decode(try await client.send(.get, path, timeout: timeout))
    }

    private struct Orders: Decodable {
        let orders: [PlacedOrder]
        let next: String?
    }

    /// All orders that were written since `begin`, the newest first, up to a few thousand.
    func orders(since begin: Date) async throws -> [PlacedOrder] {
        var all: [PlacedOrder] = []
        var next: String?
        for _ in 0..<20 {
            let query = next.map { "&before=\($0)" } ?? ""
            let page: Orders = try await get(ShopServices.order.name, "/orders?limit=200\(query)")
            all += page.orders.filter { $0.createdAt >= begin }
            next = page.next
            if next == nil || page.orders.contains(where: { $0.createdAt < begin }) { break }
        }
        return all
    }

    private struct FlashProduct: Encodable {
        let title = "Flash tea"
        let unitPrice = 90
        let available = 1_000_000
        let flash = true
    }

    /// Makes the product that flash orders are of, unless it is there.
    func makeFlashProduct() async throws {
        let stock = try client(ShopServices.stock.name)
        let path = "/products/\(OrderKind.flashProduct)"
        guard try await stock.send(.get, path, timeout: Self.timeout).status == 404 else { return }
        let answer = try await stock.send(.put, path, FlashProduct(), timeout: Self.timeout)
        guard (200..<300).contains(answer.status) else { throw ServiceClient.error(answer) }
    }

    private struct Placed: Decodable {
        let id: String
    }

    /// What came of one attempt to place an order.
    enum Attempt: Sendable {
        case placed(String)
        case refused
        /// Nobody answered, or asked to come again.
        case later(isAnswered: Bool)
    }

    /// One attempt to place an order.
    func place(_ body: String, key: String) async throws -> Attempt {
        do {
            let answer = try await order.send(
                .post, "/orders", json: Array(body.utf8), headers: ["Idempotency-Key": key], timeout: .seconds(10))
            if [200, 201].contains(answer.status) { return .placed(try order.decode(answer, as: Placed.self).id) }
            return answer.status >= 500 || answer.header("Retry-After") != nil ? .later(isAnswered: true) : .refused
        } catch is ServiceClientError {
            return .later(isAnswered: false)
        }
    }

    private struct Repair: Encodable {
        let repair: Bool
    }

    /// What comparing the books found, as order does it; only looking.
    struct Reconciliation: Codable, Sendable {
        let startedAt: Date
        let endedAt: Date?
        let orders: Int
        let found: Int
        let clean: Bool
    }

    /// - Throws: `CancellationError`, or what the last try threw when there is no result within a minute.
    func reconcile() async throws -> Reconciliation {
        let begin = Date()
        let end = ContinuousClock.now + .seconds(60)
        while true {
            do {
                try check(
                    await order.send(.post, "/reconciliation", Repair(repair: false), timeout: Self.timeout))
                for _ in 0..<20 {
                    try await Task.sleep(for: .milliseconds(200))
                    let last: Reconciliation = try await get(ShopServices.order.name, "/reconciliation")
                    // A run of another's may have stood in the way.
                    if last.endedAt != nil, last.startedAt >= begin.addingTimeInterval(-0.01) { return last }
                }
            } catch let error as ServiceClientError where ContinuousClock.now >= end {
                throw error
            } catch is ServiceClientError {
                try await Task.sleep(for: .milliseconds(500))
            }
            if ContinuousClock.now >= end { throw ServiceClientError.timeout }
        }
    }
}

/// An order as `GET /orders` shows it.
struct PlacedOrder: Decodable, Sendable {
    struct Item: Decodable, Sendable {
        let sku: String
        let quantity: Int64
    }

    let id: String
    let userName: String
    let items: [Item]
    let point: Int64
    let spendPoints: Int64
    let status: String
    let createdAt: Date
}
