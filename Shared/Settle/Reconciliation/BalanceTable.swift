public import Logging
import SettleCore
public import SettlePostgres

/// Balances that are columns of one table, held against what a ledger says of them.
///
///     BalanceTable(
///         "wallet", key: "name", columns: ["balance"],
///         ledger: "SELECT wallet, amount FROM movement UNION ALL SELECT account, amount FROM settle.ledger_adjustment",
///         in: database, logger: logger)
///
/// Whatever changes a balance must write its ledger in the same transaction; then no look ever sees one without the other,
/// however much is going on: each is one statement, and so one snapshot.
public struct BalanceTable: LedgerBalances {
    private let table: String
    private let columns: [String]
    private let compareAll: String
    private let compareThese: String
    private let lock: String
    private let update: String
    private let database: PostgresDatabase
    private let logger: Logger

    /// How long a correction goes on with those that nothing is in the way of.
    private static let patience: Duration = .seconds(20)

    /// - Parameters:
    ///   - table: its name, as in SQL.
    ///   - key: the column with the account; its primary key.
    ///   - columns: the balances, of type `bigint`.
    ///   - ledger: SQL that gives rows of an account and how much it adds to each of `columns`, in their order; as many rows
    ///     for an account as there are.
    ///   - database: where both are.
    ///   - logger: gets a line for each balance that is set.
    public init(
        _ table: StaticString, key: StaticString, columns: [StaticString], ledger: String,
        in database: PostgresDatabase,
        logger: Logger
    ) {
        let columns = columns.map { "\($0)" }
        self.table = "\(table)"
        self.columns = columns
        self.database = database
        self.logger = logger
        func each(_ separator: String = ", ", _ text: (String) -> String) -> String {
            columns.map(text).joined(separator: separator)
        }
        // What a wrong row adds up to may not fit.
        let compared = """
            WITH book AS (
                SELECT account, \(each { "sum(\($0)) AS \($0)" })
                FROM (\(ledger)) AS line (account, \(each { $0 })) GROUP BY account),
            compared AS (
                SELECT coalesce(t.\(key), book.account) AS account, name, coalesce(balance, 0) AS balance,
                       least(greatest(coalesce(ledger, 0), -9223372036854775808), 9223372036854775807)::bigint AS ledger
                FROM \(table) t FULL JOIN book ON book.account = t.\(key)
                CROSS JOIN LATERAL (VALUES \(each { "('\($0)', t.\($0), book.\($0))" })) AS c (name, balance, ledger))
            SELECT account, name, balance, ledger FROM compared WHERE balance <> ledger
            """
        compareAll = compared + " ORDER BY account, name LIMIT $1"
        compareThese = compared + " AND account = ANY ($1::text[])"
        lock = "SELECT FROM \(table) WHERE \(key) = ANY ($1::text[]) ORDER BY \(key) FOR NO KEY UPDATE"
        let deltas = columns.indices.map { "$\($0 + 2)::bigint[]" }.joined(separator: ", ")
        update = """
            UPDATE \(table) t SET \(each { "\($0) = t.\($0) + off.\($0)" })
            FROM unnest($1::text[], \(deltas)) AS off (account, \(each { $0 }))
            WHERE t.\(key) = off.account RETURNING off.account
            """
    }

    /// See ``LedgerBalances``.
    public func compare(limit: Int) async throws -> BalanceComparison {
        try await database.transaction { [self] transaction in
            transaction.add(Self.planning)
            let accounts = transaction.add("SELECT count(*) FROM \(table)")
            let rows = try transaction.query(compareAll, [.int(limit + 1)])
            return BalanceComparison(
                accounts: try transaction.rows(of: accounts)[0].decode(Int.self, at: 0),
                differences: try rows.prefix(limit).map { try BalanceDifference(row: $0) }, more: rows.count > limit)
        }
    }

    /// See ``LedgerBalances``. What is off by as much as was seen is set all at once; where something is in the way, a row
    /// that is held or a limit that the table has, it is looked for by halves, and left out.
    public func correct(_ corrections: [BalanceDifference], reason: String) async throws -> [BalanceDifference] {
        let deadline = ContinuousClock.now + Self.patience
        var corrected: [BalanceDifference] = []
        var waiting = [corrections]
        while let some = waiting.popLast() {
            guard !some.isEmpty, ContinuousClock.now < deadline else { continue }
            do {
                let done = try await set(some)
                for difference in done { note(difference, reason) }
                corrected += done
            } catch let error as PostgresError where error.kind == .server && !error.isUnavailable {
                let half = some.count / 2
                if half > 0 {
                    waiting += [Array(some[half...]), Array(some[..<half])]
                } else {
                    logger.warning(
                        "a balance was not set to its ledger",
                        metadata: ["table": "\(table)", "account": "\(some[0].account)", "error": "\(error)"])
                }
            }
        }
        return corrected
    }

    /// These tables are read as a whole, which the connections for statements by key are told not to do.
    private static let planning =
        "SELECT set_config('enable_seqscan', 'on', true), set_config('plan_cache_mode', 'auto', true)"

    private func set(_ corrections: [BalanceDifference]) async throws -> [BalanceDifference] {
        try await database.transaction { [self] transaction in
            // Two who have seen the same must not both add what is missing.
            transaction.add(
                "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [.text("settle.balances:\(table)")])
            transaction.add(Self.planning)
            let accounts = corrections.map(\.account).byteKeys
            let off = try transaction.query(compareThese, [.texts(accounts.map(\.text))])
                .reduce(into: [Name: Int64]()) { off, row in
                    let difference = try BalanceDifference(row: row)
                    off[Name(difference)] = difference.off
                }
            var due: [ByteKey: [ByteKey: Int64]] = [:]
            let open = corrections.filter { correction in
                let name = Name(correction)
                guard let by = correction.off, off[name] == by else { return false }
                return due[name.account, default: [:]].updateValue(by, forKey: name.column) == nil
            }
            guard !open.isEmpty else { return [] }
            let keys = due.keys.sorted()
            // Added to what is there by now: orders go on meanwhile, and change balance and ledger alike.
            transaction.add("SELECT set_config('lock_timeout', '500ms', true)")
            transaction.add(lock, [.texts(keys.map(\.text))])
            let deltas = columns.map { column in PostgresValue.int64s(keys.map { due[$0]?[ByteKey(column)] ?? 0 }) }
            let done = try transaction.query(update, [.texts(keys.map(\.text))] + deltas)
                .map { ByteKey(try $0.decode(String.self, at: 0)) }
            return open.filter { done.contains(ByteKey($0.account)) }
        }
    }

    private func note(_ difference: BalanceDifference, _ reason: String) {
        logger.notice(
            "a balance was set to its ledger",
            metadata: [
                "table": "\(table)", "account": "\(difference.account)", "column": "\(difference.column)",
                "seen": "\(difference.balance)", "ledger": "\(difference.ledger)", "reason": "\(reason)",
            ])
    }

    private struct Name: Hashable {
        let account: ByteKey
        let column: ByteKey

        init(_ difference: BalanceDifference) {
            account = ByteKey(difference.account)
            column = ByteKey(difference.column)
        }
    }
}

extension BalanceDifference {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            account: try row.decode(String.self, at: 0), column: try row.decode(String.self, at: 1),
            balance: try row.decode(Int64.self, at: 2), ledger: try row.decode(Int64.self, at: 3))
    }

    /// How much is missing in the balance; nil where that cannot be counted.
    fileprivate var off: Int64? {
        let (off, overflow) = ledger.subtractingReportingOverflow(balance)
        return overflow ? nil : off
    }
}
