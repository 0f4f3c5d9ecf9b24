import SettleCore
import ShopContract
import Synchronization

/// Which products are known to be flash products: what stock has said last, of a bounded number. One that is not known costs
/// its order a question, and is known then.
final class FlashItems: Sendable {
    private static let limit = 1_000
    private let known = Mutex<Set<ByteKey>>([])

    /// What stock says of them now.
    func note(_ quotes: some Sequence<Quote>) {
        known.withLock { known in
            for quote in quotes {
                guard quote.flash == true else {
                    known.remove(ByteKey(quote.sku))
                    continue
                }
                if known.count >= Self.limit { known.removeAll(keepingCapacity: true) }
                known.insert(ByteKey(quote.sku))
            }
        }
    }

    /// Those of `items` that are, and the others.
    func among(_ items: [StockItem]) -> (flash: [StockItem], others: [StockItem]) {
        known.withLock { known in
            guard !known.isEmpty else { return ([], items) }
            return (
                items.filter { known.contains(ByteKey($0.sku)) }, items.filter { !known.contains(ByteKey($0.sku)) }
            )
        }
    }
}
