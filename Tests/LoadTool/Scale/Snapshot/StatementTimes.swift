import SettlePostgres

/// What PostgreSQL has spent on each statement so far, by `pg_stat_statements`.
struct StatementTimes: Sendable {
    struct Key: Hashable, Sendable {
        let database: String
        let id: Int64
    }

    struct Entry: Equatable, Sendable {
        let text: String
        var calls: Int
        var milliseconds: Double
        var rows: Int
    }

    var entries: [Key: Entry] = [:]

    /// Of all databases; nothing where the server does not count.
    static func read(_ databases: BenchDatabases) async throws -> StatementTimes {
        guard try await databases.setting("shared_preload_libraries").contains("pg_stat_statements") else {
            return StatementTimes()
        }
        try await databases.server.script(
            "SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        let rows = try await databases.server.query(
            """
            SELECT datname, queryid, min(query), sum(calls)::bigint, sum(total_exec_time)::float8, sum(rows)::bigint
            FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
            WHERE datname LIKE 'shop%' GROUP BY datname, queryid
            """)
        return StatementTimes(
            entries: try rows.reduce(into: [:]) { entries, row in
                let key = Key(database: try row.decode(at: 0), id: try row.decode(at: 1))
                entries[key] = Entry(
                    text: try row.decode(at: 2), calls: try row.decode(at: 3), milliseconds: try row.decode(at: 4),
                    rows: try row.decode(at: 5))
            })
    }

    /// What came between `earlier` and this.
    func since(_ earlier: StatementTimes) -> StatementTimes {
        var between = self
        for (key, entry) in earlier.entries {
            between.entries[key]?.calls -= entry.calls
            between.entries[key]?.milliseconds -= entry.milliseconds
            between.entries[key]?.rows -= entry.rows
        }
        return between
    }

    /// Milliseconds in all statements.
    var total: Double { entries.values.reduce(0) { $0 + $1.milliseconds } }

    /// The time that one run of the claim takes, in milliseconds: it looks for tasks that are due. Nil where none ran.
    var claim: Double? {
        mean {
            $0.contains("WITH picked AS") && $0.contains("SKIP LOCKED")
        } per: {
            $0.calls
        }
    }

    /// The time that archiving takes, in milliseconds a task.
    var archive: Double? {
        mean {
            $0.contains("INSERT INTO") && $0.contains(".task_his")
        } per: {
            $0.rows
        }
    }

    private func mean(_ isMeant: (String) -> Bool, per count: (Entry) -> Int) -> Double? {
        let meant = entries.values.filter { isMeant($0.text) }
        let number = meant.reduce(0) { $0 + count($1) }
        return number > 0 ? meant.reduce(0) { $0 + $1.milliseconds } / Double(number) : nil
    }

    /// The statements whose time has grown most since `first`, in milliseconds an order, the worst first.
    func growth(since first: StatementTimes, orders: (first: Int, last: Int), atMost: Int) -> [Growth] {
        var all: [Growth] = []
        for (key, entry) in entries {
            let words = entry.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            let earlier = first.entries[key]?.milliseconds ?? 0
            all.append(
                Growth(
                    database: key.database, statement: String(words.prefix(100)),
                    first: earlier / Double(max(1, orders.first)),
                    last: entry.milliseconds / Double(max(1, orders.last))))
        }
        let worst = all.filter { $0.by > 0.005 }.sorted { $0.by > $1.by }
        return Array(worst.prefix(atMost))
    }

    /// One statement's time in the first slice of a run and in the last, in milliseconds an order.
    struct Growth: Codable, Sendable, Equatable {
        let database: String
        let statement: String
        let first: Double
        let last: Double

        fileprivate var by: Double { last - first }
    }
}
