import Foundation
import Logging
import SettlePostgres
import SettleTestSupport

/// The databases of the suite, and PostgreSQL itself as its superuser: private ones, which the benchmark fills and reads.
struct BenchDatabases: Sendable {
    /// What PostgreSQL has counted so far, in all databases.
    struct Counters: Sendable {
        let commits: Double
        let walBytes: Double
    }

    /// What became of the orders from one on.
    struct Settled: Sendable {
        let count: Int
        /// From the commit of an order to the archive of its last task, in milliseconds.
        let p50: Double?
        let p99: Double?
        let p999: Double?
        /// When the last one was archived, in seconds since 1970.
        let end: Double
    }

    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    let order: PostgresDatabase
    let stock: PostgresDatabase
    let points: PostgresDatabase
    let server: PostgresDatabase
    /// Of order, stock and user-points.
    private let urls: [String]

    /// - Parameter statementTimeout: how long a statement may run.
    init(
        environment: [String: String] = ProcessInfo.processInfo.environment, statementTimeout: Duration = .seconds(120)
    ) throws {
        func url(_ name: String) throws -> String {
            guard let url = environment[name] else { throw Missing(description: "\(name) is not set") }
            return url
        }
        func database(_ name: String) throws -> PostgresDatabase {
            var configuration = try PostgresConfiguration(url: try url(name))
            configuration.connections = 1
            configuration.applicationName = "settle-bench"
            configuration.statementTimeout = statementTimeout
            return PostgresDatabase(configuration, logger: quiet)
        }
        urls = try ["ORDER", "STOCK", "POINTS"].map { try url("\($0)_DATABASE_URL") }
        order = try database("ORDER_DATABASE_URL")
        stock = try database("STOCK_DATABASE_URL")
        points = try database("POINTS_DATABASE_URL")
        server = try database("POSTGRES_URL")
    }

    var all: [PostgresDatabase] { [order, stock, points, server] }

    /// Users and products of which there is enough for any run.
    func seed() async throws {
        _ = try await stock.query(
            """
            INSERT INTO product (sku, title, unit_price, available)
            SELECT 'p' || n, 'A product', $1::bigint, 1000000000 FROM generate_series(1, $2::bigint) n
            ON CONFLICT DO NOTHING
            """, [.int64(Int64(OrderRequests.price)), .int64(Int64(Scenario.all))])
        // Nobody counts it before the first order.
        _ = try await stock.query(
            """
            INSERT INTO product (sku, title, unit_price, available, flash) VALUES ($2, 'A product', $1::bigint, 1000000000, true)
            ON CONFLICT DO NOTHING
            """, [.int64(Int64(OrderRequests.price)), .text(Scenario.flash)])
        _ = try await points.query(
            """
            INSERT INTO user_points (user_name, points)
            SELECT 'u' || n, 1000000000 FROM generate_series(1, $1::bigint) n
            UNION ALL SELECT 'bench-floor', 0 ON CONFLICT DO NOTHING
            """, [.int64(Int64(OrderRequests.users))])
        for database in [stock, points] { try await database.script("ANALYZE") }
    }

    /// Returns once no task waits for its answer and no branch for its end.
    func drained(within limit: Duration) async throws {
        try await gone("task", in: order, within: limit)
        try await gone("settle.pre_message", in: order, within: limit)
        for participant in [stock, points] {
            try await gone("settle.branch WHERE state = 'undecided'", in: participant, within: limit)
        }
        // Not waited for before: it is the last that happens to a global transaction.
        try await gone(
            "settle.global_transaction WHERE decision = 'commit' AND acknowledged_at IS NULL", in: order, within: limit)
    }

    /// Where a look takes long, after thousands of dead rows, it is taken less often: its time counts as PostgreSQL's.
    private func gone(_ rows: String, in database: PostgresDatabase, within limit: Duration) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            let begin = ContinuousClock.now
            let found = try await database.query("SELECT EXISTS (SELECT FROM \(rows))")
            guard try found[0].decode(Bool.self, at: 0) else { return }
            guard .now < deadline else { throw NotInTime("not within \(limit): no row in \(rows)") }
            try await Task.sleep(for: max(.milliseconds(20), (.now - begin) * 10))
        }
    }

    /// So that PostgreSQL has nothing left to clear up later.
    func vacuum() async throws {
        for database in [order, stock, points] { try await database.script("VACUUM (ANALYZE)") }
    }

    /// The books of the orders from `first` on; see `Ledger`.
    func ledger(since first: String) async throws -> Ledger {
        try await Ledger(since: first) { part, sql, parameters in
            let database =
                switch part {
                case .order: order
                case .stock: stock
                case .points: points
                }
            let rows = try await database.query(sql, parameters.map { .text($0) })
            return try rows.map { row in try rows.columns.indices.map { try row.decode(String?.self, at: $0) } }
        }
    }

    func settled(since first: String) async throws -> Settled {
        let rows = try await order.query(
            """
            SELECT count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY took)::float8,
                   percentile_disc(0.99) WITHIN GROUP (ORDER BY took)::float8,
                   percentile_disc(0.999) WITHIN GROUP (ORDER BY took)::float8, coalesce(max(ended), 0)::float8
            FROM (SELECT extract(epoch FROM max(delete_time) - min(create_time)) * 1000 AS took,
                         extract(epoch FROM max(delete_time)) AS ended
                  FROM (SELECT business_key, create_time, delete_time FROM task_his WHERE business_key >= $1
                        UNION ALL
                        SELECT business_key, create_time, delete_time FROM settle.message_his
                        WHERE business_key >= $1 AND status <> 'void') AS answered
                  GROUP BY business_key) AS orders
            """, [.text(first)])
        return Settled(
            count: try rows[0].decode(at: 0), p50: try rows[0].decode(at: 1), p99: try rows[0].decode(at: 2),
            p999: try rows[0].decode(at: 3), end: try rows[0].decode(at: 4))
    }

    func counters() async throws -> Counters {
        let rows = try await server.query(
            """
            SELECT (SELECT sum(xact_commit) FROM pg_stat_database)::float8,
                   pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8
            """)
        return Counters(commits: try rows[0].decode(at: 0), walBytes: try rows[0].decode(at: 1))
    }

    /// Before each run, so that none pays for another one's.
    func checkpoint() async throws { try await server.script("CHECKPOINT") }

    /// Has the server log what changes something, with its parameters, or stops that.
    func logStatements(_ isOn: Bool) async throws {
        try await server.script("ALTER SYSTEM \(isOn ? "SET log_statement = 'mod'" : "RESET log_statement")")
        try await server.script("SELECT pg_reload_conf()")
    }

    /// A setting of the server.
    func setting(_ name: String) async throws -> String {
        try await server.query("SELECT current_setting($1)", [.text(name)])[0].decode(at: 0)
    }

    /// Takes the floor's orders out again, and what is left of them.
    func removeOrders(before end: String) async throws {
        try await order.script(
            """
            DELETE FROM task WHERE business_key < '\(end)';
            DELETE FROM order_item WHERE order_id < '\(end)';
            DELETE FROM orders WHERE id < '\(end)';
            """)
        for table in ["task", "order_item", "orders"] { try await order.script("VACUUM \(table)") }
    }

    /// For a program that is to work on order's database: on a command line every account could read the password.
    func clientEnvironment() throws -> [String: String] { try Self.clientEnvironment(urls[0]) }

    /// The same for each of the three databases.
    func clientEnvironments() throws -> [[String: String]] { try urls.map(Self.clientEnvironment) }

    private static func clientEnvironment(_ url: String) throws -> [String: String] {
        guard let url = URLComponents(string: url), let host = url.host, let port = url.port else {
            throw Missing(description: "a DATABASE_URL names no host and port")
        }
        return ProcessInfo.processInfo.environment.merging(
            [
                "PGHOST": host, "PGPORT": "\(port)", "PGUSER": url.user ?? "", "PGPASSWORD": url.password ?? "",
                "PGDATABASE": String(url.path.dropFirst()),
            ]
        ) { $1 }
    }
}
