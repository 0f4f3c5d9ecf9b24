import SettleCore
import SettlePostgres
import Settle
import ShopContract

/// Spending a user's points on an order, as a part of a global transaction: the same statements in all four modes.
enum Spend {
    /// What user-points can do, in each mode.
    static let handlers: [BranchHandler] = [
        .at(ShopActions.spend, Plain()), .xa(ShopActions.spend, Plain()), .tcc(ShopActions.spend, Reserved()),
        .saga(ShopActions.spend, Compensated()),
    ]

    /// The plain statement, for `at` and `xa`.
    struct Plain: LocalAction {
        func perform(_ spending: AddPoint, in transaction: borrowing PostgresTransaction) throws -> Balance {
            try take(spending, Spend.takePlain, in: transaction)
        }

        func rows(of spending: AddPoint) -> [EnrolledRow] {
            [EnrolledRow("user_points", "user_name", spending.userName)]
        }
    }

    /// Reserved first, for `tcc`.
    struct Reserved: TCCGroupAction {
        func `try`(_ spending: AddPoint, in transaction: borrowing PostgresTransaction) throws -> Balance {
            try take(spending, Spend.takeReserved, in: transaction)
        }

        func `try`(_ spendings: [AddPoint], in transaction: borrowing PostgresTransaction) throws -> [Balance?] {
            try takeWhatIsThere(spendings, Spend.reserveTogether, in: transaction)
        }

        func confirm(_ spendings: [AddPoint], in transaction: borrowing PostgresTransaction) throws {
            change(spendings, Spend.confirmReserved, in: transaction)
        }

        func cancel(_ spendings: [AddPoint], in transaction: borrowing PostgresTransaction) throws {
            change(spendings, Spend.cancelReserved, in: transaction)
        }
    }

    /// Taken at once and given back if need be, for `saga`.
    struct Compensated: SagaGroupAction {
        func perform(_ spending: AddPoint, in transaction: borrowing PostgresTransaction) throws -> Balance {
            try take(spending, Spend.takePlain, in: transaction)
        }

        func perform(_ spendings: [AddPoint], in transaction: borrowing PostgresTransaction) throws -> [Balance?] {
            try takeWhatIsThere(spendings, Spend.takeTogether, in: transaction)
        }

        func compensate(_ spendings: [AddPoint], in transaction: borrowing PostgresTransaction) throws {
            change(spendings, Spend.giveBack, in: transaction)
        }
    }

    private static func take(
        _ spending: AddPoint, _ statement: String, in transaction: borrowing PostgresTransaction
    ) throws -> Balance {
        do {
            try spending.check()
        } catch let error as UnreadableMessage {
            throw BranchRefusal(code: "impossible-order", detail: error.description)
        }
        let rows = try transaction.query(statement, [.text(spending.userName), .int64(spending.point)])
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
        _ spendings: [AddPoint], _ statement: String, in transaction: borrowing PostgresTransaction
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
            transaction.add(statement, [.texts(taken.keys.map(\.text)), .int64s(Array(taken.values))])
        }
        return answers
    }

    /// Changes the balances of all of `spendings` at once, locked in the order of their names.
    private static func change(
        _ spendings: [AddPoint], _ statement: String, in transaction: borrowing PostgresTransaction
    ) {
        transaction.add(statement, [.texts(spendings.map(\.userName)), .int64s(spendings.map(\.point))])
    }
}

// The statements: `$1` the user, or users, `$2` how many points of each.
extension Spend {
    static let takePlain = take("points = points - $2")
    static let takeReserved = take("points = points - $2, reserved = reserved + $2")

    private static let point = "((SELECT map FROM line) -> u.user_name)::bigint"
    static let confirmReserved = change("reserved = u.reserved - \(point)")
    static let cancelReserved = change("points = u.points + \(point), reserved = u.reserved - \(point)")
    static let giveBack = change("points = u.points + \(point)")

    /// Of several requests at once: first what is there, then what was taken of each user.
    static let purses =
        "SELECT user_name, points FROM user_points WHERE user_name = ANY ($1::text[]) ORDER BY user_name FOR NO KEY UPDATE"
    static let takeTogether = changeLocked("points = u.points - \(point)")
    static let reserveTogether = changeLocked("points = u.points - \(point), reserved = u.reserved + \(point)")

    private static func take(_ assignments: String) -> String {
        "UPDATE user_points SET \(assignments) WHERE user_name = $1 AND points >= $2::bigint RETURNING points"
    }

    private static func changeLocked(_ assignments: String) -> String {
        """
        WITH line AS (
            SELECT jsonb_object_agg(user_name, point) AS map FROM unnest($1::text[], $2::bigint[]) AS l (user_name, point))
        UPDATE user_points u SET \(assignments) WHERE u.user_name = ANY ($1::text[])
        """
    }

    /// What belongs to a user gets to the row by a map: a join would compare each spending with each.
    private static func change(_ assignments: String) -> String {
        """
        WITH line AS (
            SELECT jsonb_object_agg(user_name, point) AS map
            FROM (SELECT user_name, sum(point)::bigint AS point
                  FROM unnest($1::text[], $2::bigint[]) AS l (user_name, point) GROUP BY user_name) l),
        held AS (
            SELECT user_name FROM user_points WHERE user_name = ANY ($1::text[]) ORDER BY user_name FOR NO KEY UPDATE)
        UPDATE user_points u SET \(assignments) WHERE u.user_name = ANY (ARRAY(SELECT user_name FROM held))
        """
    }
}
