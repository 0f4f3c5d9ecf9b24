public import SettleCore
public import SettlePostgres

/// Finds out which rows of a table other transactions hold, without waiting for any of them.
public struct RowProbe: Sendable {
    private let database: PostgresDatabase
    private let sql: String

    /// - Parameters:
    ///   - database: where the rows are.
    ///   - table: its name, as in SQL.
    ///   - key: the column that rows are known by, as in SQL; unique.
    ///   - type: the column's type.
    ///   - enrolled: whether the table is enrolled for mode `at`: then rows that undecided transactions hold count,
    ///     too.
    public init(
        _ database: PostgresDatabase, table: StaticString, key: StaticString, type: StaticString = "text",
        enrolled: Bool = false
    ) {
        self.database = database
        let undecided = """

            UNION SELECT key ->> '\(key)' FROM settle.row_lock
            WHERE "table" = '\(table)'::regclass AND key ->> '\(key)' = ANY($1::text[])
            """
        sql = """
            WITH free AS (
                SELECT \(key) AS key FROM \(table) WHERE \(key) = ANY($1::\(type)[]) FOR NO KEY UPDATE SKIP LOCKED)
            SELECT \(key)::text FROM \(table) WHERE \(key) = ANY($1::\(type)[])
            EXCEPT SELECT key::text FROM free
            """ + (enrolled ? undecided : "")
    }

    /// Those of `keys` whose rows are held at the moment.
    public func held(among keys: [String]) async throws -> Set<ByteKey> {
        // PostgreSQL's texts hold no NUL, so no row has such a key.
        let keys = keys.filter { !$0.utf8.contains(0) }
        guard !keys.isEmpty else { return [] }
        return try await database.query(sql, [.texts(keys)]).map { try $0.decode(String.self, at: 0) }.byteKeys
    }
}
