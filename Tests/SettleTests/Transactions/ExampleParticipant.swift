import SettlePostgres
import Settle

// A wallet service: money is taken out of a wallet as a part of a global transaction, in whichever mode the caller asks
// for. docs/transactions.md shows this file.

/// What is asked for.
struct Withdrawal: Codable, Sendable, Equatable {
    let wallet: String
    let amount: Int64
}

/// What is answered.
struct Receipt: Codable, Sendable, Equatable {
    let balance: Int64
}

/// For `at` and `xa`: plain SQL, as if there were no global transactions.
struct PlainWithdrawal: LocalAction {
    func perform(_ request: Withdrawal, in transaction: borrowing PostgresTransaction) throws -> Receipt {
        try withdraw(request, "balance = balance - $2", in: transaction)
    }
}

/// For `tcc`: the money is set aside first. Leave out `cancel`, and it does not compile.
struct ReservedWithdrawal: TCCAction {
    func `try`(_ request: Withdrawal, in transaction: borrowing PostgresTransaction) throws -> Receipt {
        try withdraw(request, "balance = balance - $2, reserved = reserved + $2", in: transaction)
    }

    func confirm(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws {
        change(requests, "reserved = reserved - amount", in: transaction)
    }

    func cancel(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws {
        change(requests, "balance = balance + amount, reserved = reserved - amount", in: transaction)
    }
}

/// For `saga`: it takes effect at once, and can be undone.
struct CompensatedWithdrawal: SagaAction {
    func perform(_ request: Withdrawal, in transaction: borrowing PostgresTransaction) throws -> Receipt {
        try withdraw(request, "balance = balance - $2", in: transaction)
    }

    func compensate(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws {
        change(requests, "balance = balance + amount", in: transaction)
    }
}

/// Takes the money or refuses.
private func withdraw(
    _ request: Withdrawal, _ changes: String, in transaction: borrowing PostgresTransaction
) throws -> Receipt {
    let rows = try transaction.query(
        "UPDATE wallet SET \(changes) WHERE name = $1 AND balance >= $2::bigint RETURNING balance",
        [.text(request.wallet), .int64(request.amount)])
    guard let row = rows.first else {
        try transaction.checkRefusal(
            "wallet", keys: [request.wallet], unless: "SELECT FROM wallet WHERE name = $1 AND balance >= $2::bigint",
            [.text(request.wallet), .int64(request.amount)])
        throw BranchRefusal(code: "insufficient-funds", detail: "not enough money")
    }
    return Receipt(balance: try row.decode(Int64.self, at: 0))
}

/// Changes the wallets of many transactions with one statement.
private func change(_ requests: [Withdrawal], _ changes: String, in transaction: borrowing PostgresTransaction) {
    transaction.add(
        """
        UPDATE wallet SET \(changes)
        FROM (SELECT name, sum(amount)::bigint AS amount FROM unnest($1::text[], $2::bigint[]) AS r (name, amount)
              GROUP BY name) AS r
        WHERE wallet.name = r.name
        """, [.texts(requests.map(\.wallet)), .int64s(requests.map(\.amount))])
}

/// All that the service can do, in all modes.
let walletHandlers: [BranchHandler] = [
    .at("withdraw", PlainWithdrawal()), .xa("withdraw", PlainWithdrawal()), .tcc("withdraw", ReservedWithdrawal()),
    .saga("withdraw", CompensatedWithdrawal()),
]

/// The service's own table; `enroll` is what `at` needs.
let walletSchema = Migration(
    name: "wallet_0001",
    sql: """
        CREATE TABLE wallet (
            name     text PRIMARY KEY,
            balance  bigint NOT NULL CHECK (balance >= 0),
            reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0)
        );
        SELECT settle.enroll('wallet');
        """)
