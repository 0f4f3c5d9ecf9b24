import Contract
import Foundation
import Hummingbird
import Settle
import SettleHTTP
import SettlePostgres

@main
struct Wallet {
    static func main() async throws {
        let environment = ProcessInfo.processInfo.environment
        let settle = try Settle(
            database: environment["DATABASE_URL"] ?? "", broker: nil, app: "wallet",
            token: environment["SETTLE_TOKEN"], peers: ["shop": environment["SHOP_URL"] ?? ""])
        settle.migrations("wallet", [wallets])
        try settle.participate([.tcc("charge", ChargeWallet())], initiators: ["shop"])

        let router = Router()
        router.get("wallets/:owner") { _, context in
            let owner = try context.parameters.require("owner")
            let rows = try await settle.database.query("SELECT balance FROM wallet WHERE owner = $1", [.text(owner)])
            guard let row = rows.first else { throw HTTPError(.notFound) }
            return "\(try row.decode(Int.self, "balance"))\n"
        }
        try settle.addRoutes(to: router.group("internal"))
        try await Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: Int(environment["PORT"] ?? "") ?? 9102)),
            services: settle.services
        ).runService()
    }

    static let wallets = Migration(
        name: "0001_wallet",
        sql: """
            CREATE TABLE wallet (
                owner text PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0), reserved bigint NOT NULL DEFAULT 0);
            INSERT INTO wallet VALUES ('alice', 100)
            """)
}

/// Reserves, and then takes or gives back what was reserved. Each runs once for each global transaction, together with
/// the library's memory of it.
struct ChargeWallet: TCCAction {
    func `try`(_ charge: Charge, in tx: borrowing PostgresTransaction) throws -> Balance {
        let rows = try tx.query(
            """
            UPDATE wallet SET balance = balance - $2, reserved = reserved + $2
            WHERE owner = $1 AND balance >= $2 RETURNING balance
            """, [.text(charge.owner), .int(charge.amount)])
        guard let row = rows.first else { throw BranchRefusal(code: "no-money", detail: "\(charge.owner) has too little") }
        return Balance(left: try row.decode(Int.self, "balance"))
    }

    func confirm(_ charges: [Charge], in tx: borrowing PostgresTransaction) {
        for charge in charges {
            tx.add("UPDATE wallet SET reserved = reserved - $2 WHERE owner = $1", [.text(charge.owner), .int(charge.amount)])
        }
    }

    func cancel(_ charges: [Charge], in tx: borrowing PostgresTransaction) {
        for charge in charges {
            tx.add(
                "UPDATE wallet SET balance = balance + $2, reserved = reserved - $2 WHERE owner = $1",
                [.text(charge.owner), .int(charge.amount)])
        }
    }
}
