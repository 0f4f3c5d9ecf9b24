import Logging
import SettlePostgres

/// Stands for a client that knows nothing of tasks, and binds arrays of texts. Statements gather until the transaction's
/// end, which is all that this one can do.
struct SomebodysClient {
    actor Connection: SomebodysConnection {
        fileprivate var statements: [(sql: String, binds: [[String]])] = []

        func query(_ sql: String, binds: [[String]]) { statements.append((sql, binds)) }
    }

    let database: PostgresDatabase

    init(_ configuration: PostgresConfiguration) {
        database = PostgresDatabase(configuration, logger: Logger(label: "client"))
    }

    func withTransaction(_ body: @Sendable (Connection) async throws -> Void) async throws {
        let connection = Connection()
        try await body(connection)
        let statements = await connection.statements
        try await database.transaction { transaction in
            for statement in statements { transaction.add(statement.sql, statement.binds.map { .texts($0) }) }
        }
    }
}
