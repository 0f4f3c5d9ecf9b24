import SettlePostgres

/// What a check reads before and after, and compares.
public struct Compared: Sendable {
    private enum What: Sendable {
        case allTables
        case queries([String])
    }

    private let what: What

    /// All tables of the database but those of Settle's own schema: for a test's database, which is small.
    ///
    /// Rows are compared as they are; where a column's value comes from a clock or a sequence, `verifyBranch` needs
    /// ``rows(of:)`` without that column.
    public static let allTables = Compared(what: .allTables)

    /// The rows that these queries find, in whatever order they find them.
    public static func rows(of queries: String...) -> Compared { Compared(what: .queries(queries)) }

    /// What there is now, as `transaction` sees it.
    func snapshot(_ transaction: borrowing PostgresTransaction) throws -> Snapshot {
        let sources: [(name: String, sql: String)]
        switch what {
        case .queries(let queries): sources = queries.map { ($0, "(\($0))") }
        case .allTables:
            sources = try transaction.query(
                """
                SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
                WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'settle') AND schemaname NOT LIKE 'pg\\_temp%'
                ORDER BY 1
                """
            ).map {
                let name = try $0.decode(String.self, at: 0)
                return (name, name)
            }
        }
        var rows: [String: [String]] = [:]
        for (name, sql) in sources {
            rows[name] = try transaction.query("SELECT to_jsonb(t)::text FROM \(sql) AS t ORDER BY 1").map {
                try $0.decode(String.self, at: 0)
            }
        }
        return Snapshot(rows: rows)
    }
}

/// The rows of each table or query, sorted.
struct Snapshot: Sendable, Equatable {
    var rows: [String: [String]] = [:]

    /// How many rows came and went, by table: the same for two tasks that do the same, whatever their values are.
    struct Shape: Sendable, Hashable {
        var added: [String: Int] = [:]
        var removed: [String: Int] = [:]
    }

    func shape(since before: Snapshot) -> Shape {
        var shape = Shape()
        for name in Set(rows.keys).union(before.rows.keys) {
            let change = (rows[name] ?? []).difference(from: before.rows[name] ?? [])
            if !change.insertions.isEmpty { shape.added[name] = change.insertions.count }
            if !change.removals.isEmpty { shape.removed[name] = change.removals.count }
        }
        return shape
    }

    /// For a person: the first rows that differ.
    func difference(from before: Snapshot) -> String {
        var lines: [String] = []
        for name in Set(rows.keys).union(before.rows.keys).sorted() {
            for change in (rows[name] ?? []).difference(from: before.rows[name] ?? []) {
                switch change {
                case .insert(_, let row, _): lines.append("+ \(name): \(row)")
                case .remove(_, let row, _): lines.append("- \(name): \(row)")
                }
            }
        }
        return lines.prefix(6).joined(separator: "\n  ") + (lines.count > 6 ? "\n  … and \(lines.count - 6) more" : "")
    }
}
