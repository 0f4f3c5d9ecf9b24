import Foundation
import SettlePostgres
import SettleRabbitMQ
import SettleTestSupport
import Testing

@testable import Settle

/// A client that is not ours, and knows nothing of tasks: a text, and plain values that it binds by their types. As
/// PostgresNIO's `query(PostgresQuery(unsafeSQL:binds:))`, for instance.
private struct ForeignClient {
    enum Binding {
        case text(String)
        case textArray([String])
    }

    typealias Query = (_ sql: String, _ binds: [Binding]) throws -> [Int64]

    let database: PostgresDatabase

    func withTransaction(_ body: @escaping @Sendable (Query) throws -> Void) async throws {
        try await database.transaction { transaction in
            try body { sql, binds in
                let values = binds.map { binding -> PostgresValue in
                    switch binding {
                    case .text(let text): .text(text)
                    case .textArray(let texts): .texts(texts)
                    }
                }
                return try transaction.query(sql, values).map { try $0.decode(Int64.self, at: 0) }
            }
        }
    }
}

@Suite("Tasks in another client's transaction", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct OutboxStatementTests {
    private struct Refused: Error {}

    private let route = TestRoute()
    private let publisher = ScriptedPublisher()
    private let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    private func draft(_ key: String, trace: String? = nil) throws -> TaskDraft {
        try TaskDraft(
            route.task, businessKey: key, body: LedgerApplier.Entry(key: key, amount: 1), traceParent: trace)
    }

    /// A relay that looks by itself only once, at its start, unless it is told otherwise; and another client.
    private func with(
        schema: SchemaName = .public, scanInterval: Duration = .seconds(3600),
        _ body: (TestDatabase, OutboxRelay, ForeignClient) async throws -> Void
    ) async throws {
        try await TestDatabase.with(schemas: [schema]) { database in
            var settings = TaskSettings()
            settings.scanInterval = scanInterval
            let relay = OutboxRelay(
                settings: settings, database: database.pool, schema: schema, publisher: publisher,
                logger: quiet)
            let foreign = try TestDatabase.connect(database.url, connections: 1)
            try await serving([foreign, relay]) {
                try await body(database, relay, ForeignClient(database: foreign))
            }
        }
    }

    @Test(
        "they are sent once it has committed and the relay is woken, and never when it is rolled back",
        arguments: ["public", #"Another "one""#])
    func transaction(schema: String) async throws {
        let schema = try SchemaName(schema)
        try await with(schema: schema) { database, relay, client in
            let drafts = [try draft("a", trace: trace), try draft("b")]
            let statement = relay.outbox.statement(for: drafts)
            #expect(statement == OutboxStatement(drafts, schema: schema))
            await #expect(throws: Refused.self) {
                try await client.withTransaction { query in
                    _ = try query(statement.sql, statement.binds.map { .textArray($0) })
                    throw Refused()
                }
            }
            relay.wake()
            try await client.withTransaction { query in
                _ = try query("INSERT INTO ledger VALUES ($1, 1)", [.text("business")])
                let ids = try query(statement.sql, statement.binds.map { .textArray($0) })
                #expect(ids.count == 2)
                #expect(ids == ids.sorted())
            }
            relay.wake()
            try await eventually { publisher.messages.count == 2 }
            let messages = try publisher.messages.map {
                try JSONDecoder().decode(TaskMessage.self, from: Data($0.body)).requestBody
            }
            #expect(messages == drafts.map(\.requestBody))
            #expect(publisher.messages.map { $0.headers[TraceHeader.name] } == [trace, nil])
            let records = try await relay.store.tasks(status: .pending, limit: 5)
            #expect(records.map(\.attempts) == [1, 1], "sent once")
            #expect(try await database.number("SELECT count(*) FROM ledger") == 1)
        }
    }

    @Test("nobody need be woken: the next look finds them, in the process that has the relay")
    func scan() async throws {
        try await with(scanInterval: .milliseconds(50)) { _, _, client in
            let statement = OutboxStatement(try (1...700).map { try draft("\($0)") })
            try await client.withTransaction { query in
                _ = try query(statement.sql, statement.binds.map { .textArray($0) })
            }
            try await eventually { publisher.messages.count == 700 }
        }
    }

    @Test("no tasks are no error, and odd texts stay as they are")
    func values() async throws {
        try await with { _, relay, client in
            let odd = #"{"a", 'b' \ NULL}"# + "\n€"
            let (none, one) = (OutboxStatement([]), OutboxStatement([try draft(odd)]))
            #expect(none.sql == one.sql, "one text, prepared once")
            let row = OutboxRowStatement(try draft(odd, trace: trace))
            try await client.withTransaction { query in
                let ids = [
                    try query(none.sql, none.binds.map { .textArray($0) }),
                    try query(one.sql, one.binds.map { .textArray($0) }),
                    try query(row.sql, row.binds.map { .text($0) }),
                ]
                #expect(ids.map(\.count) == [0, 1, 1])
            }
            #expect(try await relay.store.tasks(about: odd).map(\.businessKey) == [odd, odd])
        }
    }

    @Test("a client that binds texts alone writes one at a time; here it is psql")
    func psql() async throws {
        try await with { database, relay, _ in
            let statement = OutboxRowStatement(try draft("it's"))
            let values = statement.binds.map { "'" + $0.replacing("'", with: "''") + "'" }.joined(separator: ", ")
            try await Command.run(
                "/usr/bin/env",
                [
                    "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", database.url,
                    "--command=INSERT INTO ledger VALUES ('business', 1)",
                    "--command=PREPARE outbox AS \(statement.sql)", "--command=EXECUTE outbox (\(values))",
                ])
            relay.wake()
            try await eventually { publisher.messages.count == 1 }
            #expect(try await relay.store.tasks(about: "it's").map(\.status) == ["pending"])
        }
    }
}
