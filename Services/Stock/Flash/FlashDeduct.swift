import Settle
import SettleCore
import SettlePostgres
import SettleRedis
import ShopContract

/// Taking an order's flash items, whose stock Redis counts, as a part of a global transaction in mode `mt`. The book follows
/// in the transactions that end the branches.
struct FlashDeduct: MTGroupAction {
    typealias Request = StockChange
    typealias Answer = QuoteAnswer

    let keeper: FlashKeeper

    func admit() async throws { _ = try await keeper.open() }

    func prepare(_ parts: [ResourcePart<StockChange>]) async -> [Result<QuoteAnswer, any Error>] {
        do {
            let open = try await keeper.open()
            var answers = parts.map { part in Result { try quotes(part.request, open) } }
            let served = parts.indices.filter { (try? answers[$0].get()) != nil }
            let words = try await keeper.run(served.map { take(parts[$0], open) }, by: open)
            for (index, word) in zip(served, words) {
                if let refusal = Self.refusal(word) { answers[index] = .failure(refusal) }
            }
            return answers
        } catch {
            return parts.map { _ in .failure(error) }
        }
    }

    func commit(_ parts: [ResourcePart<StockChange>]) async throws {
        let open = try await keeper.open()
        let call = FlashScripts.commit(keys: FlashScripts.keys, [String(open.epoch.number)] + parts.map(\.key))
        _ = try await keeper.run([call], by: open)
    }

    func rollback(_ parts: [ResourcePart<StockChange>]) async throws {
        let open = try await keeper.open()
        _ = try await keeper.run(
            parts.map { part in
                FlashScripts.giveBack(
                    keys: FlashScripts.keys + [FlashScripts.over(part.key)], [String(open.epoch.number), part.key])
            }, by: open)
    }

    func book(_ orders: [StockChange], in transaction: borrowing PostgresTransaction) throws {
        try Deduct.change(orders, Deduct.bookTaken, isBooked: true, in: transaction)
    }

    private func take(_ part: ResourcePart<StockChange>, _ open: FlashKeeper.Open) -> RedisScript.Call {
        FlashScripts.take(
            keys: FlashScripts.keys + [FlashScripts.over(part.key)],
            [String(open.epoch.number), part.key] + part.request.items.flatMap { [$0.sku, String($0.quantity)] })
    }

    /// What the order costs; refused before anything is asked of Redis where it cannot be served at all.
    private func quotes(_ order: StockChange, _ open: FlashKeeper.Open) throws -> QuoteAnswer {
        do { try order.check() } catch {
            throw BranchRefusal(code: "impossible-order", detail: "\(error)")
        }
        return QuoteAnswer(
            quotes: try order.items.map { item in
                guard let price = open.prices[ByteKey(item.sku)] else {
                    throw BranchRefusal(code: FlashProblem.noFlashItem, detail: "'\(item.sku)' is no flash product")
                }
                return Quote(sku: item.sku, unitPrice: price, flash: true)
            })
    }

    private static func refusal(_ word: FlashStock.Word) -> BranchRefusal? {
        switch word.word {
        case "taken": nil
        case "unsure":
            BranchRefusal(
                code: FlashProblem.unavailable, detail: "it is not known yet how much of '\(word.about ?? "")' is left")
        case "short": BranchRefusal(code: "insufficient-stock", detail: "not enough stock of '\(word.about ?? "")'")
        default: BranchRefusal(code: "transaction-over", detail: "the global transaction is over")
        }
    }
}
