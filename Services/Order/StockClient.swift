import Base
import ServiceKit
import ShopContract

/// What order asks of stock.
struct StockClient: Sendable {
    private let quotes: Batcher<Set<String>, [String: Int64]>

    /// Questions that come while one is on its way go together in the next.
    init(_ client: ServiceClient) {
        quotes = Batcher(limit: 64, lanes: 2) { asked in
            let skus = asked.reduce(into: Set()) { $0.formUnion($1) }
            let answer: QuoteAnswer = try await client.post("/quotes", QuoteRequest(skus: skus.sorted()))
            let prices = Dictionary(answer.quotes.map { ($0.sku, $0.unitPrice) }, uniquingKeysWith: { first, _ in first })
            return asked.map { skus in prices.filter { skus.contains($0.key) } }
        }
    }

    /// The prices of those of `skus` that exist.
    func prices(of skus: Set<String>) async throws -> [String: Int64] {
        try await quotes.submit(skus)
    }
}
