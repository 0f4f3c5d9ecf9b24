public import Foundation
import SettleCore
public import SettlePostgres

/// A ledger in a database of this process.
public struct DatabaseLedger: LedgerBook {
    /// How many bounds one question may have.
    public static let maxBounds = 10_001
    /// How many keys one question may have, or entries one answer.
    public static let maxEntries = 1000

    private let source: LedgerSource
    private let balanceBook: (any LedgerBalances)?
    private let database: PostgresDatabase

    /// - Parameters:
    ///   - source: where its lines are.
    ///   - balances: how balances are compared; nil where there are none.
    ///   - database: where all of it is.
    public init(_ source: LedgerSource, balances: (any LedgerBalances)? = nil, in database: PostgresDatabase) {
        self.source = source
        self.database = database
        balanceBook = balances
    }

    /// When the tables of `SettleSchema.ledger` were made; nil where adjustments are no part of it.
    public func since() async throws -> Date? {
        guard source.hasAdjustments else { return nil }
        return try await database.query("SELECT started_at FROM settle.ledger_start").first?.decode(Date.self, at: 0)
    }

    /// One statement, by index: as many looks as there are ranges.
    public func digests(between bounds: [String]) async throws -> [LedgerDigest] {
        let bounds = try bounds.map(bound)
        guard bounds.count > 1 else { return [] }
        return try await database.query(
            source.digests, [.texts(Array(bounds.dropLast())), .texts(Array(bounds.dropFirst()))]
        ).map { LedgerDigest(lines: try $0.decode(Int.self, at: 0), sum: try $0.decode(String.self, at: 1)) }
    }

    /// Reads the rest of the range for each page: ranges should be small.
    public func entries(of range: LedgerRange, after: String?, limit: Int) async throws -> LedgerPage {
        // One more, to know whether there are more.
        let low = PostgresValue.text(try bound(after ?? range.from))
        let rest: [PostgresValue] = [PostgresValue(after), .int(limit + 1)]
        let rows =
            if let to = range.to {
                try await database.query(source.page, [low, .text(try bound(to))] + rest)
            } else {
                try await database.query(source.rest, [low] + rest)
            }
        let entries = try Self.entries(rows)
        guard entries.count > limit else { return LedgerPage(entries: entries, next: nil) }
        return LedgerPage(entries: Array(entries.prefix(limit)), next: entries[limit - 1].key)
    }

    /// In no order.
    public func entries(of keys: [String]) async throws -> [LedgerEntry] {
        let keys = source.keys == .text ? keys : keys.filter(Self.isUUID)
        guard !keys.isEmpty else { return [] }
        return try Self.entries(await database.query(source.ofKeys, [.texts(keys)]))
    }

    /// Nothing, where there are no balances.
    public func balances() async throws -> BalanceComparison {
        try await balanceBook?.compare(limit: BalanceComparison.limit)
            ?? BalanceComparison(accounts: 0, differences: [])
    }

    /// See ``LedgerBalances``.
    public func correct(_ corrections: [BalanceDifference], reason: String) async throws -> [BalanceDifference] {
        try await balanceBook?.correct(corrections, reason: reason) ?? []
    }

    /// See ``LedgerBook``; the lines go to `settle.ledger_adjustment`.
    public func adjust(_ adjustment: LedgerAdjustment) async throws -> Bool {
        guard let id = UUID(uuidString: adjustment.id) else {
            throw LedgerRequestError(description: "an adjustment's id must be a UUID")
        }
        let delta = LedgerComparer.delta(from: adjustment.before, to: adjustment.after)
        return try await database.transaction { [source] transaction in
            // Two adjustments of one key come one after the other.
            transaction.add(
                "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [.text("settle.ledger:" + adjustment.key)])
            let known = transaction.add(Self.known, [.text(adjustment.key), .uuid(id)])
            let now = try Self.entries(transaction.query(source.ofKeys, [.texts([adjustment.key])]))
            if try !transaction.rows(of: known).isEmpty { return true }
            guard LedgerComparer.isSame(now.first?.lines ?? [], adjustment.before) else { return false }
            transaction.add(
                Self.insert,
                [
                    .uuid(id), .text(adjustment.key), .texts(delta.map(\.account)), .texts(delta.map(\.kind)),
                    .int64s(delta.map(\.amount)), .text(adjustment.reason),
                ])
            return true
        }
    }

    static let known = "SELECT FROM settle.ledger_adjustment WHERE key = $1 AND id = $2 LIMIT 1"
    static let insert = """
        INSERT INTO settle.ledger_adjustment (id, key, account, kind, amount, reason)
        SELECT $1, $2, account, kind, amount, $6
        FROM unnest($3::text[], $4::text[], $5::bigint[]) AS line (account, kind, amount)
        """

    private func bound(_ key: String) throws -> String {
        guard source.keys == .uuid else { return key }
        if key.isEmpty { return "00000000-0000-0000-0000-000000000000" }
        guard Self.isUUID(key) else { throw LedgerRequestError(description: "a bound must be a UUID") }
        return key
    }

    private static func isUUID(_ key: String) -> Bool {
        UUID(canonical: key) != nil
    }

    private static func entries(_ rows: PostgresRows) throws -> [LedgerEntry] {
        var keys: [String] = []
        var lines: [ByteKey: [LedgerLine]] = [:]
        for row in rows {
            let key = try row.decode(String.self, at: 0)
            let line = LedgerLine(
                account: try row.decode(String.self, at: 1), kind: try row.decode(String.self, at: 2),
                amount: try row.decode(Int64.self, at: 3))
            if lines[ByteKey(key), default: []].isEmpty { keys.append(key) }
            lines[ByteKey(key), default: []].append(line)
        }
        return keys.map { LedgerEntry(key: $0, lines: LedgerComparer.sorted(lines[ByteKey($0)] ?? [])) }
    }
}
