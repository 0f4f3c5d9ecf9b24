import SettleCore
import SettlePostgres
import SettleServiceKit
import Settle
import ShopContract

/// Taking an order's items, as a part of a global transaction: the same few statements in all four modes.
///
/// Each statement locks its products in the order of their keys, so that two transactions cannot deadlock.
enum Deduct {
    /// What stock can do in its database, in each mode.
    static let handlers: [BranchHandler] = [
        .at(ShopActions.deduct, Plain(statement: Deduct.takeAT), then: spending),
        .xa(ShopActions.deduct, Plain(statement: Deduct.takePlain), then: spending),
        .tcc(ShopActions.deduct, Reserved(), then: spending),
        .saga(ShopActions.deduct, Compensated(), then: spending),
    ]

    /// Has user-points take what the order spends, where that is left to stock.
    static let spending = FurtherCalls<StockChange, QuoteAnswer>(if: { $0.spend != nil }) { order, quotes, calls in
        if let spend = order.spend {
            try await calls.call(
                ShopServices.userPoints.name, ShopActions.spend, mode: spend.mode,
                AddPoint(userName: spend.userName, orderId: order.orderId, point: spend.point), as: Balance.self)
        }
        return quotes
    }

    /// The plain statement, for `at` and `xa`.
    struct Plain: LocalAction {
        let statement: String

        func perform(_ order: StockChange, in transaction: borrowing PostgresTransaction) throws -> QuoteAnswer {
            try take(order, statement, isBooked: true, in: transaction)
        }

        func rows(of order: StockChange) -> [EnrolledRow] { order.items.map { EnrolledRow("product", "sku", $0.sku) } }
    }

    /// Reserved first, for `tcc`.
    struct Reserved: TCCGroupAction {
        func `try`(_ order: StockChange, in transaction: borrowing PostgresTransaction) throws -> QuoteAnswer {
            try take(order, Deduct.takeReserved, isBooked: false, in: transaction)
        }

        func `try`(_ orders: [StockChange], in transaction: borrowing PostgresTransaction) throws -> [QuoteAnswer?] {
            try takeWhatIsThere(orders, Deduct.reserveTogether, isBooked: false, in: transaction)
        }

        func confirm(_ orders: [StockChange], in transaction: borrowing PostgresTransaction) throws {
            try change(orders, Deduct.confirmReserved, isBooked: true, in: transaction)
        }

        func cancel(_ orders: [StockChange], in transaction: borrowing PostgresTransaction) throws {
            try change(orders, Deduct.cancelReserved, isBooked: false, in: transaction)
        }
    }

    /// Taken at once and given back if need be, for `saga`.
    struct Compensated: SagaGroupAction {
        func perform(_ order: StockChange, in transaction: borrowing PostgresTransaction) throws -> QuoteAnswer {
            try take(order, Deduct.takePlain, isBooked: true, in: transaction)
        }

        func perform(
            _ orders: [StockChange], in transaction: borrowing PostgresTransaction
        ) throws -> [QuoteAnswer?] {
            try takeWhatIsThere(orders, Deduct.takeTogether, isBooked: true, in: transaction)
        }

        func compensate(_ orders: [StockChange], in transaction: borrowing PostgresTransaction) throws {
            try change(orders, Deduct.giveBack, isBooked: true, in: transaction)
        }
    }

    /// Takes all of the items or refuses; answers what they cost.
    ///
    /// - Parameter isBooked: here and below, whether the statement writes the ledger, too.
    private static func take(
        _ order: StockChange, _ statement: String, isBooked: Bool, in transaction: borrowing PostgresTransaction
    ) throws -> QuoteAnswer {
        do {
            try order.check()
        } catch let error as UnreadableMessage {
            throw BranchRefusal(code: "impossible-order", detail: error.description)
        }
        let rows = try transaction.query(
            statement,
            try [.texts(order.items.map(\.sku)), .int64s(order.items.map(\.quantity))]
                + (isBooked ? booking([order]) : []))
        let quotes = try rows.map {
            Quote(sku: try $0.decode(String.self, at: 0), unitPrice: try $0.decode(Int64.self, at: 1))
        }
        guard quotes.count == order.items.count else {
            throw try refusal(order, taken: quotes.map(\.sku).byteKeys, in: transaction)
        }
        return QuoteAnswer(quotes: quotes)
    }

    /// Takes the items of those orders for which everything is there, one order after the other; nil for the others.
    private static func takeWhatIsThere(
        _ orders: [StockChange], _ statement: String, isBooked: Bool, in transaction: borrowing PostgresTransaction
    ) throws -> [QuoteAnswer?] {
        let rows = try transaction.query(
            Deduct.shelf, [.texts(orders.flatMap { $0.items.map(\.sku) }.byteKeys.map(\.text))])
        var shelf: [ByteKey: (available: Int64, unitPrice: Int64)] = [:]
        for row in rows {
            shelf[ByteKey(try row.decode(String.self, at: 0))] = (
                try row.decode(Int64.self, at: 1), try row.decode(Int64.self, at: 2)
            )
        }
        var taken: [ByteKey: Int64] = [:]
        let answers = orders.map { order -> QuoteAnswer? in
            guard (try? order.check()) != nil else { return nil }
            var quotes: [Quote] = []
            for item in order.items {
                guard let product = shelf[ByteKey(item.sku)], product.available >= item.quantity else { return nil }
                quotes.append(Quote(sku: item.sku, unitPrice: product.unitPrice))
            }
            // An order names a product once.
            for item in order.items {
                shelf[ByteKey(item.sku)]?.available -= item.quantity
                taken[ByteKey(item.sku), default: 0] += item.quantity
            }
            return QuoteAnswer(quotes: quotes)
        }
        if !taken.isEmpty {
            let served = zip(orders, answers).compactMap { order, answer in answer == nil ? nil : order }
            transaction.add(
                statement,
                try [.texts(taken.keys.map(\.text)), .int64s(Array(taken.values))]
                    + (isBooked ? booking(served) : []))
        }
        return answers
    }

    private static func refusal(
        _ order: StockChange, taken: Set<ByteKey>, in transaction: borrowing PostgresTransaction
    ) throws -> BranchRefusal {
        let missing = order.items.filter { !taken.contains(ByteKey($0.sku)) }
        // Asked again, together with whether somebody undecided holds one of them: then the refusal would be premature.
        let rows = try transaction.query(
            """
            SELECT line.sku, p.sku IS NULL, coalesce(p.flash, false)
            FROM settle.at_check('product', $1::text[]), unnest($1::text[], $2::bigint[]) AS line (sku, quantity)
            LEFT JOIN LATERAL (SELECT sku, available, flash FROM product WHERE product.sku = line.sku LIMIT 1) p ON true
            WHERE p.sku IS NULL OR p.flash OR p.available < line.quantity
            """, [.texts(missing.map(\.sku)), .int64s(missing.map(\.quantity))])
        if let row = try rows.first(where: { try $0.decode(Bool.self, at: 2) }) {
            let sku = try row.decode(String.self, at: 0)
            return BranchRefusal(code: FlashProblem.flashItems, detail: "'\(sku)' is a flash product")
        }
        let short = try rows.map { (try $0.decode(String.self, at: 0), isUnknown: try $0.decode(Bool.self, at: 1)) }
        guard let first = short.first(where: \.isUnknown) ?? short.first else { throw RowsChanged() }
        return first.isUnknown
            ? BranchRefusal(code: "unknown-sku", detail: "there is no product '\(first.0)'")
            : BranchRefusal(code: "insufficient-stock", detail: "not enough stock of '\(first.0)'")
    }

    /// Changes the products of all of `orders` at once.
    static func change(
        _ orders: [StockChange], _ statement: String, isBooked: Bool, in transaction: borrowing PostgresTransaction
    ) throws {
        let items = orders.flatMap(\.items)
        transaction.add(
            statement,
            try [.texts(items.map(\.sku)), .int64s(items.map(\.quantity))]
                + (isBooked ? booking(orders) : []))
    }

    private static func booking(_ orders: [StockChange]) throws -> [PostgresValue] {
        StockLogEntry.parameters(try orders.map { try StockLogEntry($0) })
    }
}
