import Contract
import Foundation
import Logging
import ServiceLifecycle
import Settle
import SettlePostgres

@main
struct Mailer {
    static func main() async throws {
        let environment = ProcessInfo.processInfo.environment
        let settle = try Settle(
            database: environment["DATABASE_URL"] ?? "", broker: environment["AMQP_URL"] ?? "", app: "mailer")
        settle.migrations("mailer", [mails])
        settle.receive(sendMail, dedupKey: \.id) { mail, tx in
            guard mail.to.contains("@") else { throw TaskRefusal("'\(mail.to)' is no address") }
            let rows = try tx.query(
                "INSERT INTO mail (recipient, text) VALUES ($1, $2) RETURNING number", [.text(mail.to), .text(mail.text)])
            return Sent(number: try rows[0].decode(Int.self, "number"))
        }
        try await ServiceGroup(
            services: settle.services, gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger(label: "mailer")
        ).run()
    }

    static let mails = Migration(
        name: "0001_mail",
        sql: "CREATE TABLE mail (number bigserial PRIMARY KEY, recipient text NOT NULL, text text NOT NULL)")
}
