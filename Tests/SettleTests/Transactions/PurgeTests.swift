import SettleCore
import Foundation
import SettlePostgres
import Testing

@testable import Settle

@Suite("Purge", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(2)))
struct PurgeTests {
    private static var settings: TransactionSettings {
        var settings = TransactionBed.settings
        settings.retention = .seconds(24 * 3600)
        return settings
    }

    /// XIDs as `XID()` would have made them at that time.
    private static let v7 = """
        CREATE FUNCTION v7(at timestamptz, number bigint) RETURNS text LANGUAGE sql AS $$
            SELECT substr(time, 1, 8) || '-' || substr(time, 9, 4) || '-7' || substr(tail, 1, 3) || '-8' || substr(tail, 4, 3)
                || '-' || tail
            FROM (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS time,
                         lpad(to_hex(number), 12, '0') AS tail) t
        $$
        """

    /// Rows of transactions that are over, with ages between two, in no order of time: as in a table that vacuum has
    /// emptied and that is filled again.
    private func fill(
        _ bed: TransactionBed, branch: Bool, _ count: Int, hours: ClosedRange<Double>, xid: String = "v7(at, n)"
    ) async throws {
        let columns =
            branch
            ? "INSERT INTO settle.branch (state, mode, action, initiator, request, answer, xid, created_at, ended_at)"
                + " SELECT 'committed', 'tcc', 'withdraw', 'order', '{}', '{}', \(xid), at, at"
            : "INSERT INTO settle.global_transaction (decision, participants, xid, created_at, acknowledged_at)"
                + " SELECT 'commit', '{wallets}', \(xid), at, at"
        _ = try await bed.database.pool.query(
            """
            \(columns) FROM (
                SELECT n, now() - ($2::float8 + ($3::float8 - $2::float8) * n / $1::int) * interval '1 hour' AS at
                FROM generate_series(1, $1::int) AS n ORDER BY random()) r
            """, [.int(count), .double(hours.lowerBound), .double(hours.upperBound)])
    }

    /// How many pages one batch touches, and how many rows it deletes.
    private func batch(_ purge: TransactionPurge, after key: String? = nil, _ bed: TransactionBed) async throws -> Int {
        let statement = purge.ownBatch(after: key)
        let plan = try await bed.database.pool.transaction { transaction in
            transaction.planAlongTheIndex()
            return try transaction.query("EXPLAIN (ANALYZE, BUFFERS) " + statement.sql, statement.parameters)
        }.map { try $0.decode(String.self, at: 0) }
        let buffers = try #require(plan.first { $0.contains("Buffers: shared") })
        #expect(!plan.contains { $0.contains("Seq Scan on") }, "\(plan.joined(separator: "\n"))")
        return buffers.split(separator: " ").filter { $0.hasPrefix("hit=") || $0.hasPrefix("read=") }
            .reduce(0) { $0 + (Int($1.split(separator: "=")[1]) ?? 0) }
    }

    @Test(
        "in a table that was purged, vacuumed and filled again a batch reads what it deletes and not the table",
        arguments: [true, false])
    func reused(branch: Bool) async throws {
        try await TransactionBed.with(settings: Self.settings) { bed in
            let pool = bed.database.pool
            let table = branch ? "settle.branch" : "settle.global_transaction"
            let purge = branch ? BranchStore.purge(Self.settings) : DecisionStore.purge(Self.settings)
            _ = try await pool.query(Self.v7)
            try await fill(bed, branch: branch, 40_000, hours: 25...26)
            #expect(try await purge.round(in: pool) == 40_000, "all of them in one round")
            _ = try await pool.query("VACUUM ANALYZE \(table)")
            try await fill(bed, branch: branch, 40_000, hours: 0...23.9)
            _ = try await pool.query("VACUUM ANALYZE \(table)")
            let pages = try await bed.database.number("SELECT pg_relation_size('\(table)') / 8192")
            #expect(pages > 300)

            let idle = try await batch(purge, bed)
            #expect(idle <= 20, "\(idle) of \(pages) pages, for nothing")
            try await fill(bed, branch: branch, 2_000, hours: 24.1...24.9)
            let busy = try await batch(purge, bed)
            #expect(busy <= 500 * 12, "\(busy) pages for 500 rows")
            #expect(try await bed.database.number("SELECT count(*) FROM \(table)") == 41_500)
            #expect(try await purge.round(in: pool) == 1_500)
            #expect(try await bed.database.number("SELECT count(*) FROM \(table)") == 40_000)
        }
    }

    @Test("what is not over is never forgotten, whatever its age, and does not stand in the way of the rest")
    func undecided() async throws {
        var settings = Self.settings
        settings.batchSize = 10
        try await TransactionBed.with(settings: settings) { bed in
            let pool = bed.database.pool
            _ = try await pool.query(Self.v7)
            for branch in [true, false] { try await fill(bed, branch: branch, 100, hours: 30...40) }
            // Every other one, so that whole batches would be nothing else if they were not walked past.
            let half = "xid IN (SELECT xid FROM %@ ORDER BY xid LIMIT 50)"
            _ = try await pool.query(
                "UPDATE settle.branch SET state = 'undecided', ended_at = NULL WHERE "
                    + half.replacing("%@", with: "settle.branch"))
            _ = try await pool.query(
                "UPDATE settle.global_transaction SET acknowledged_at = NULL WHERE "
                    + half.replacing("%@", with: "settle.global_transaction"))
            #expect(try await BranchStore.purge(settings).round(in: pool) == 50)
            #expect(try await DecisionStore.purge(settings).round(in: pool) == 50)
            #expect(try await bed.database.number("SELECT count(*) FROM settle.branch WHERE state = 'undecided'") == 50)
            #expect(
                try await bed.database.number(
                    "SELECT count(*) FROM settle.global_transaction WHERE acknowledged_at IS NULL") == 50)
        }
    }

    @Test("a branch that ended late, and an abort that was declared late, stay for the retention from then on")
    func late() async throws {
        try await TransactionBed.with(settings: Self.settings) { bed in
            let pool = bed.database.pool
            _ = try await pool.query(Self.v7)
            try await fill(bed, branch: true, 10, hours: 30...40)
            _ = try await pool.query("UPDATE settle.branch SET ended_at = now()")
            let old = UUID.v7(at: Date() - 40 * 3600).uuidString.lowercased()
            _ = try await bed.initiator.decisions(on: [try #require(XID(rawValue: old))])
            #expect(try await BranchStore.purge(Self.settings).round(in: pool) == 0)
            #expect(try await DecisionStore.purge(Self.settings).round(in: pool) == 0)
        }
    }

    @Test("XIDs of another make are forgotten too, batch by batch, by an index that holds only them")
    func foreign() async throws {
        var settings = Self.settings
        settings.batchSize = 100
        try await TransactionBed.with(settings: settings) { bed in
            let pool = bed.database.pool
            _ = try await pool.query(Self.v7)
            for branch in [true, false] {
                for xid in ["'zz-' || n", "n::text", "upper(v7(at, n))", "gen_random_uuid()::text"] {
                    try await fill(bed, branch: branch, 450, hours: 24.1...50, xid: xid)
                }
                try await fill(bed, branch: branch, 10, hours: 1...2, xid: "'young-' || n")
            }
            #expect(try await BranchStore.purge(settings).round(in: pool) == 1_800)
            #expect(try await DecisionStore.purge(settings).round(in: pool) == 1_800)
            #expect(try await bed.database.number("SELECT count(*) FROM settle.branch WHERE xid LIKE 'young-%'") == 10)
            try await fill(bed, branch: true, 20_000, hours: 0...1)
            _ = try await pool.query("VACUUM ANALYZE settle.branch")
            let entries = try await bed.database.number(
                "SELECT reltuples::int FROM pg_class WHERE oid = 'settle.branch_foreign'::regclass")
            #expect(entries == 10)
        }
    }
}
