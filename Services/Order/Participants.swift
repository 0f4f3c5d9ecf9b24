import SettleCore
import HTTPTypes
import SettleServiceKit
import SettleHTTP
import Settle
import ShopContract

/// What order asks of stock.
struct StockClient: Sendable {
    private let quotes: Batcher<Set<ByteKey>, [ByteKey: Quote]>
    private let branch: BranchClient
    private let flash = FlashItems()

    /// Questions that come while one is on its way go together in the next.
    init(_ client: ServiceClient) {
        branch = BranchClient(client, participant: ShopServices.stock.name)
        quotes = Batcher(limit: 64, patience: .milliseconds(20), span: "ask prices") { asked in
            let skus = asked.reduce(into: Set<ByteKey>()) { $0.formUnion($1) }
            let answer: QuoteAnswer = try await client.post("/quotes", QuoteRequest(skus: skus.sorted().map(\.text)))
            let quotes = answer.quotes.reduce(into: [ByteKey: Quote]()) { $0[ByteKey($1.sku)] = $1 }
            return asked.map { skus in quotes.filter { skus.contains($0.key) } }
        }
    }

    /// The prices of those of `skus` that exist, and whether there are flash products among them.
    func prices(of skus: Set<ByteKey>) async throws -> (prices: [ByteKey: Int64], hasFlash: Bool) {
        let found = try await quotes.submit(skus)
        flash.note(found.values)
        return (found.mapValues(\.unitPrice), found.values.contains { $0.flash == true })
    }

    /// Takes the items of an order under the current global transaction: flash products in mode `mt`, the others in `mode`;
    /// returns their prices.
    ///
    /// - Parameter spend: what stock has user-points take after all of them; nil: nothing.
    func deduct(
        _ orderId: String, _ items: [StockItem], mode: BranchMode, spend: PointSpending?
    ) async throws -> [ByteKey: Int64] {
        var prices: [ByteKey: Int64] = [:]
        var left = items
        var attempt = 0
        while true {
            attempt += 1
            let known = flash.among(left)
            let parts = [(mode: BranchMode.mt, items: known.flash), (mode, known.others)].filter { !$0.items.isEmpty }
            do {
                for (index, (mode, part)) in parts.enumerated() {
                    let change = StockChange(
                        orderId: orderId, items: part, spend: index == parts.count - 1 ? spend : nil)
                    let answer: QuoteAnswer = try await branch.call(ShopActions.deduct, change, mode: mode)
                    prices.merge(answer.prices) { $1 }
                    left.removeAll(where: part.contains)
                }
                return prices
            } catch let error as ServiceClientError
                where attempt < 3
                && (error.isProblem(FlashProblem.flashItems) || error.isProblem(FlashProblem.noFlashItem))
            {
                // That part was refused; what was taken before it stays taken.
                _ = try await self.prices(of: left.map(\.sku).byteKeys)
            }
        }
    }
}

/// What order asks of user-points.
struct PointsClient: Sendable {
    private let tokens: Batcher<CustomerToken, Bool>
    private let branch: BranchClient

    /// Questions that come while one is on its way go together in the next. So somebody who tries many tokens keeps two
    /// requests to user-points busy, however many there are at once, and not all of them.
    init(_ client: ServiceClient) {
        branch = BranchClient(client, participant: ShopServices.userPoints.name)
        tokens = Batcher(
            limit: CustomerCheck.limit, concurrency: 2, maxWaiting: 512, span: "verify customer"
        ) { asked in
            let answer: CustomerVerdict = try await client.post("/customers/verify", CustomerCheck(customers: asked))
            guard answer.valid.count == asked.count else {
                throw ServiceClientError.invalidAnswer(
                    "\(ShopServices.userPoints.name): not one verdict for each customer")
            }
            return answer.valid
        }
    }

    /// Whether the token is the one of that user.
    func isTheirs(_ customer: CustomerToken) async throws -> Bool {
        try await tokens.submit(customer)
    }

    /// Takes the points under the current global transaction.
    func spend(_ spending: AddPoint, mode: BranchMode) async throws {
        _ = try await branch.call(ShopActions.spend, spending, mode: mode, as: Balance.self)
    }
}

extension QuoteAnswer {
    fileprivate var prices: [ByteKey: Int64] {
        Dictionary(quotes.map { (ByteKey($0.sku), $0.unitPrice) }, uniquingKeysWith: { first, _ in first })
    }
}

extension Problem {
    static let flashStockUnavailable = Problem(
        .serviceUnavailable, code: FlashProblem.unavailable, title: "The stock is unavailable",
        detail: "the stock of flash products cannot be counted now; nothing was taken", retryAfter: 1)
}

extension ProblemMapping {
    /// What a client is told when a participant said no.
    static let participants = ProblemMapping { error in
        guard let error = error as? ServiceClientError, case .status(let status, _, let detail, let retryAfter) = error
        else { return error is DeclaredAborted ? .unavailable("it took too long; nothing was done") : nil }
        if error.isProblem("unknown-sku") { return .notFound(detail ?? "there is no such product") }
        for code in [FlashProblem.unavailable, BranchProblem.resourceAway] where error.isProblem(code) {
            return .flashStockUnavailable
        }
        for code in ["insufficient-stock", "insufficient-points", BranchProblem.locked] where error.isProblem(code) {
            return .conflict(code, detail ?? "", retryAfter: code == BranchProblem.locked ? retryAfter ?? 1 : nil)
        }
        for (code, mode) in [(BranchProblem.xaUnavailable, "xa"), (BranchProblem.atUnavailable, "at")]
        where error.isProblem(code) {
            return Problem(
                .serviceUnavailable, code: code, title: "Mode \(mode) is unavailable", detail: detail ?? "",
                retryAfter: retryAfter)
        }
        return status == 409 ? .unavailable("another attempt is being undone") : nil
    }
}
