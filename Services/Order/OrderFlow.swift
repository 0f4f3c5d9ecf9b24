import Settle
import ShopContract

/// The chain of an order's tasks, as a pure value: what comes first, what follows each answer, what undoes what.
///
///     message           deductstock ──finished──► addpoint ──finished──► settled
///                            │rejected               │rejected
///                            ▼                       ▼
///                        cancelled               restock ──► refundpoint, if points were spent ──► cancelled
///
///     centre            the same, by messages that the message centre sends
///
///     with flash        as from addpoint on: they are taken by a global transaction before the order is written, and all else
///     items             with them
///
///     at, tcc, xa,      as from addpoint on: stock was taken, and points were spent, by a global transaction before the
///     saga              order was written
enum OrderFlow {
    /// One task of an order.
    enum Task: CaseIterable {
        case deductStock, addPoint, restock, refundPoint

        var route: TaskRoute {
            switch self {
            case .deductStock: ShopRoutes.deductStock
            case .addPoint: ShopRoutes.addPoint
            case .restock: ShopRoutes.restock
            case .refundPoint: ShopRoutes.refundPoint
            }
        }

        /// The same in mode `centre`, where no points are spent, and so none given back.
        var messageRoute: MessageRoute? {
            switch self {
            case .deductStock: ShopRoutes.centreDeductStock
            case .addPoint: ShopRoutes.centreAddPoint
            case .restock: ShopRoutes.centreRestock
            case .refundPoint: nil
            }
        }

        init?(taskType: String) {
            guard let task = Self.allCases.first(where: { $0.route.taskType == taskType }) else { return nil }
            self = task
        }
    }

    /// What an answer has for its order.
    enum Step: Equatable {
        /// The stock is taken: now the points.
        case addPoints
        /// All is done.
        case settle
        /// Nothing was taken, or all was given back.
        case cancel(reason: String?)
        /// No points: the stock that was taken goes back, and the order is cancelling.
        case restock(reason: String)
        /// The stock is back: now the points that were spent, if any; else the order is cancelled.
        case giveBackPoints
    }

    /// What is sent as soon as the order is written.
    ///
    /// - Parameter isTaken: whether a global transaction has taken the stock before.
    static func first(isTaken: Bool) -> Task { isTaken ? .addPoint : .deductStock }

    /// What follows. What undoes cannot be refused for good: an answer of any kind ends it.
    ///
    /// - Parameter end: whether there was an answer. Stock that was to be taken by a task which is given up may have been
    ///   taken: it goes back, if so.
    static func next(after task: Task, _ answer: TaskAnswer, end: TaskEnd = .answered) -> Step {
        switch (task, answer) {
        case (.deductStock, .rejected(let reason)) where end != .answered: .restock(reason: reason)
        case (.deductStock, .rejected(let reason)): .cancel(reason: reason)
        case (.deductStock, _): .addPoints
        case (.addPoint, .rejected(let reason)): .restock(reason: reason)
        case (.addPoint, _): .settle
        case (.restock, _): .giveBackPoints
        case (.refundPoint, _): .cancel(reason: nil)
        }
    }
}
