import Contract
import Foundation
import Hummingbird
import Settle
import SettleHTTP
import SettlePostgres

@main
struct Shop {
    struct Purchase: Codable, Sendable {
        let buyer: String
        let mail: String
        let price: Int
    }

    struct Receipt: ResponseCodable, Sendable {
        let id: String
        let left: Int
    }

    static func main() async throws {
        let environment = ProcessInfo.processInfo.environment
        let port = Int(environment["PORT"] ?? "") ?? 9101
        let settle = try Settle(
            database: environment["DATABASE_URL"] ?? "", broker: environment["AMQP_URL"] ?? "", app: "shop",
            token: environment["SETTLE_TOKEN"], selfURL: "http://127.0.0.1:\(port)/internal",
            peers: ["wallet": environment["WALLET_URL"] ?? ""])
        settle.migrations("shop", [purchases])
        settle.answers(to: sendMail) { tx, task, answer in
            let said =
                switch answer {
                case .finished(let sent): "mail \(sent.number)"
                case .rejected(let reason): reason
                }
            tx.add("UPDATE purchase SET mailed = $2 WHERE id = $1", [.text(task.key), .text(said)])
        }
        try settle.initiate(participants: ["wallet"])

        let router = Router()
        router.post("purchases") { request, context in
            let purchase = try await request.decode(as: Purchase.self, context: context)
            let id = UUID().uuidString
            do {
                let receipt: Receipt = try await settle.globally { global in
                    let charge = Charge(owner: purchase.buyer, amount: purchase.price)
                    let balance: Balance = try await global.call("wallet", "charge", mode: .tcc, charge)
                    return try await global.commit { tx in
                        tx.add("INSERT INTO purchase (id, buyer) VALUES ($1, $2)", [.text(id), .text(purchase.buyer)])
                        try tx.send(sendMail, businessKey: id, Mail(id: id, to: purchase.mail, text: "It is yours."))
                        return Receipt(id: id, left: balance.left)
                    }
                }
                return receipt
            } catch let refusal as BranchRefusal {
                throw HTTPError(.conflict, message: refusal.detail)
            }
        }
        router.get("purchases/:id") { _, context in
            let id = try context.parameters.require("id")
            let rows = try await settle.database.query("SELECT mailed FROM purchase WHERE id = $1", [.text(id)])
            guard let row = rows.first else { throw HTTPError(.notFound) }
            return "\(try row.decode(String?.self, "mailed") ?? "not mailed yet")\n"
        }
        try settle.addRoutes(to: router.group("internal"))
        try await Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)), services: settle.services
        ).runService()
    }

    static let purchases = Migration(
        name: "0001_purchase", sql: "CREATE TABLE purchase (id text PRIMARY KEY, buyer text NOT NULL, mailed text)")
}
