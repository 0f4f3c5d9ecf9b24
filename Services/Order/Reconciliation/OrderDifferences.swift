import Settle
import SettleCore
import SettleServiceKit
import ShopContract

/// What a difference between an order and a book is called, and what of the protocol mends it. Pure.
enum OrderDifferences {
    /// A sort of finding.
    enum Kind: String, CaseIterable {
        /// Settled, and the stock is not taken: `deductstock` again.
        case stockNotTaken
        /// Cancelled, and the stock is not back: `restock` again.
        case stockKept
        /// Settled, and other stock is taken.
        case stockDiffers
        /// There is no such order, and stock is taken for it.
        case stockWithoutOrder
        /// Settled, and the points are not added: `addpoint` again.
        case pointsMissing
        /// Cancelled, and the points that were spent are not back: `refundpoint` again.
        case spentPointsKept
        /// Cancelled, and points are added.
        case pointsForCancelledOrder
        /// Settled, and other points are added or spent, or somebody else's.
        case pointsDiffer
        /// There is no such order, and points are added or spent for it.
        case pointsWithoutOrder
        /// Placed for long, and no task or message is under way: the next one again.
        case orderStuck
        /// A task is under way for an order that there is not.
        case taskWithoutOrder

        /// The task that mends it.
        var task: OrderFlow.Task? {
            switch self {
            case .stockNotTaken: .deductStock
            case .stockKept: .restock
            case .pointsMissing: .addPoint
            case .spentPointsKept: .refundPoint
            default: nil
            }
        }
    }

    /// Nil where there is none: an order that is not over.
    static func kind(of difference: BookDifference) -> Kind? {
        let booked = difference.difference.booked
        let isStock = difference.book == ShopServices.stock.name
        switch difference.state?.name {
        case nil: return isStock ? .stockWithoutOrder : .pointsWithoutOrder
        case "settled" where isStock: return booked.isEmpty ? .stockNotTaken : .stockDiffers
        case "cancelled" where isStock: return booked.allSatisfy { $0.amount > 0 } ? .stockKept : .stockDiffers
        case "settled":
            let isEarned = difference.difference.expected.contains { ByteKey($0.kind) == ByteKey(OrderBooks.earned) }
            let hasEarned = booked.contains { ByteKey($0.kind) == ByteKey(OrderBooks.earned) }
            return isEarned && !hasEarned ? .pointsMissing : .pointsDiffer
        case "cancelled":
            let isOnlySpent = booked.allSatisfy { ByteKey($0.kind) == ByteKey(OrderBooks.spent) && $0.amount > 0 }
            return isOnlySpent ? .spentPointsKept : .pointsForCancelledOrder
        default: return nil
        }
    }

    /// For a person: what is there, and what should be.
    static func detail(_ difference: BookDifference) -> String {
        "\(difference.state?.name ?? "no such order"): expected \(text(difference.difference.expected)), "
            + "booked \(text(difference.difference.booked))"
    }

    private static func text(_ lines: [LedgerLine]) -> String {
        lines.isEmpty
            ? "nothing" : lines.map { "\($0.amount) \($0.kind) of \($0.account)" }.joined(separator: ", ")
    }
}
