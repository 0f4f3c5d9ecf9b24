import Contract
import Foundation
import Logging
import ServiceLifecycle
import Settle
import SettlePostgres

/// Who writes with another client keeps it: the outbox is a text, and what to bind to it. This is PostgresNIO's shape; an
/// application that has PostgresNIO passes its connection in `withTransaction`.
protocol SomebodysConnection {
    func query(_ sql: String, binds: [[String]]) async throws
}

/// Writes an issue, and a mail for each subscriber, in one transaction of that client.
func publish(_ issue: String, to subscribers: [String], in connection: some SomebodysConnection) async throws {
    let mails = try subscribers.map { subscriber in
        let key = "\(issue) \(subscriber)"
        return try TaskDraft(sendIssue, businessKey: key, Mail(id: key, to: subscriber, text: "\(issue) is out."))
    }
    let tasks = OutboxStatement(mails, schema: .settle)
    try await connection.query("INSERT INTO issue SELECT unnest($1::text[])", binds: [[issue]])
    try await connection.query(tasks.sql, binds: tasks.binds)
}

@main
struct Newsletter {
    static func main() async throws {
        let environment = ProcessInfo.processInfo.environment
        let url = environment["DATABASE_URL"] ?? ""
        let settle = try Settle(database: url, broker: environment["AMQP_URL"] ?? "", app: "newsletter")
        settle.migrations(
            "newsletter", [Migration(name: "0001_issue", sql: "CREATE TABLE issue (title text PRIMARY KEY)")])
        let (answers, answered) = AsyncStream.makeStream(of: String.self)
        settle.answers(to: sendIssue) { tx, task, answer in
            tx.afterCommit { _ in answered.yield("\(task.businessKey): \(answer)") }
        }
        let client = SomebodysClient(try PostgresConfiguration(url: url))
        let group = ServiceGroup(services: settle.services + [client.database], logger: Logger(label: "newsletter"))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await settle.waitUntilMigrated()
            let subscribers = ["ann@example.test", "bob@example.test", "nobody"]
            try await client.withTransaction { connection in
                try await publish("Issue \(UUID().uuidString.prefix(8))", to: subscribers, in: connection)
            }
            settle.relay?.wake()  // else they are found within a second
            for await answer in answers.prefix(subscribers.count) { print(answer) }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}
