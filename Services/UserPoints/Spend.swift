import SettleCore
import SettlePostgres
import Settle
import ShopContract

/// Spending a user's points on an order, as a part of a global transaction: the same statements in all four modes.
enum Spend {
    /// What user-points can do, in each mode.
    static let handlers: [BranchHandler] = [
        .at(ShopActions.spend, Plain(statement: Spend.takeAT)),
        .xa(ShopActions.spend, Plain(statement: Spend.takePlain)),
        .tcc(ShopActions.spend, Reserved()), .saga(ShopActions.spend, Compensated()),
    ]

    /// The plain statement, for `at` and `xa`.
    struct Plain: LocalAction {
        let statement: String

        func perform(_ spending: AddPoint, in transaction: borrowing PostgresTransaction) throws -> Balance {
            try take(spending, statement, isBooked: true, in: transaction)
        }

        func rows(of spending: AddPoint) -> [EnrolledRow] {
            [EnrolledRow("user_points", "user_name", spending.userName)]
        }
    }

    /// Reserved first, for `tcc`.
    struct Reserved: TCCGroupAction {
        func `try`(_ spending: AddPoint, in transaction: borrowing PostgresTransaction) throws -> Balance {
            try take(spending, Spend.takeReserved, isBooked: false, in: transaction)
        }

        func `try`(_ spendings: [AddPoint], in transaction: borrowing PostgresTransaction) throws -> [Balance?] {
            try takeWhatIsThere(spendings, Spend.reserveTogether, isBooked: false, in: transaction)
        }

        func confirm(_ spendings: [AddPoint], in transaction: borrowing PostgresTransaction) throws {
            change(spendings, Spend.confirmReserved, isBooked: true, in: transaction)
        }

        func cancel(_ spendings: [AddPoint], in transaction: borrowing PostgresTransaction) throws {
            change(spendings, Spend.cancelReserved, isBooked: false, in: transaction)
        }
    }

    /// Taken at once and given back if need be, for `saga`.
    struct Compensated: SagaGroupAction {
        func perform(_ spending: AddPoint, in transaction: borrowing PostgresTransaction) throws -> Balance {
            try take(spending, Spend.takePlain, isBooked: true, in: transaction)
        }

        func perform(_ spendings: [AddPoint], in transaction: borrowing PostgresTransaction) throws -> [Balance?] {
            try takeWhatIsThere(spendings, Spend.takeTogether, isBooked: true, in: transaction)
        }

        func compensate(_ spendings: [AddPoint], in transaction: borrowing PostgresTransaction) throws {
            change(spendings, Spend.giveBack, isBooked: true, in: transaction)
        }
    }

    /// - Parameter isBooked: here and below, whether the statement writes the ledger, too.
    private static func take(
        _ spending: AddPoint, _ statement: String, isBooked: Bool, in transaction: borrowing PostgresTransaction
    ) throws -> Balance {
        do {
            try spending.check()
        } catch let error as UnreadableMessage {
            throw BranchRefusal(code: "impossible-order", detail: error.description)
        }
        let rows = try transaction.query(
            statement,
            [.text(spending.userName), .int64(spending.point)] + (isBooked ? [.text(spending.orderId)] : []))
        guard let row = rows.first else {
            try transaction.checkRefusal(
                "user_points", keys: [spending.userName],
                unless: "SELECT FROM user_points WHERE user_name = $1 AND points >= $2::bigint",
                [.text(spending.userName), .int64(spending.point)])
            throw BranchRefusal(code: "insufficient-points", detail: "the user does not have that many points")
        }
        return Balance(points: try row.decode(Int64.self, at: 0))
    }

    /// Takes the points of those users that have them, one request after the other; nil for the others.
    private static func takeWhatIsThere(
        _ spendings: [AddPoint], _ statement: String, isBooked: Bool, in transaction: borrowing PostgresTransaction
    ) throws -> [Balance?] {
        let rows = try transaction.query(
            Spend.purses, [.texts(spendings.map(\.userName).byteKeys.map(\.text))])
        var balances: [ByteKey: Int64] = [:]
        for row in rows {
            balances[ByteKey(try row.decode(String.self, at: 0))] = try row.decode(Int64.self, at: 1)
        }
        var taken: [ByteKey: Int64] = [:]
        let answers = spendings.map { spending -> Balance? in
            let user = ByteKey(spending.userName)
            guard (try? spending.check()) != nil, let balance = balances[user], balance >= spending.point else {
                return nil
            }
            balances[user] = balance - spending.point
            taken[user, default: 0] += spending.point
            return Balance(points: balance - spending.point)
        }
        if !taken.isEmpty {
            let served = zip(spendings, answers).compactMap { spending, answer in answer == nil ? nil : spending }
            transaction.add(
                statement,
                [.texts(taken.keys.map(\.text)), .int64s(Array(taken.values))] + (isBooked ? booking(served) : []))
        }
        return answers
    }

    /// Changes the balances of all of `spendings` at once, locked in the order of their names.
    private static func change(
        _ spendings: [AddPoint], _ statement: String, isBooked: Bool, in transaction: borrowing PostgresTransaction
    ) {
        transaction.add(
            statement,
            [.texts(spendings.map(\.userName)), .int64s(spendings.map(\.point))] + (isBooked ? booking(spendings) : []))
    }

    private static func booking(_ spendings: [AddPoint]) -> [PostgresValue] {
        [.texts(spendings.map(\.orderId)), .texts(spendings.map(\.userName)), .int64s(spendings.map(\.point))]
    }
}
