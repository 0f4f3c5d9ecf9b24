import Foundation
import SettleCore
import SettlePostgres

/// The tables of reconciliation: its runs, what they found and what was mended.
struct ReconciliationStore: Sendable {
    /// Something that was mended.
    struct Repair: Sendable {
        let kind: String
        let key: String
        let before: String
        let after: String
        let reason: String
    }

    let database: PostgresDatabase
    let settings: ReconciliationSettings

    // MARK: Runs

    /// Begins a run, unless one is under way; nil then. One whose process is gone is over.
    ///
    /// - Parameter interval: also nil if one began within this time.
    func begin(repairs: Bool, after interval: Duration? = nil) async throws -> UUID? {
        let id = UUID.v7()
        return try await database.transaction { [settings] transaction in
            transaction.add(Self.endLost)
            let begun = transaction.add(
                Self.begin,
                [
                    .uuid(id), .bool(repairs), .int(settings.lease.milliseconds),
                    PostgresValue(interval.map(\.milliseconds)),
                ])
            transaction.add(Self.forget, [.int(settings.maxRuns)])
            return try transaction.rows(of: begun).isEmpty ? nil : id
        }
    }

    /// Says that the run goes on; false when it is not this process's any more.
    func renew(_ run: UUID, keys: Int) async throws -> Bool {
        try await !database.query(Self.renew, [.uuid(run), .int(settings.lease.milliseconds), .int(keys)]).isEmpty
    }

    func add(_ findings: [ReconciliationFinding], to run: UUID) async throws {
        let encoder = JSONEncoder()
        _ = try await database.query(
            Self.addFindings,
            [
                .uuid(run), .texts(findings.map(\.id)),
                .texts(try findings.map { String(decoding: try encoder.encode($0), as: UTF8.self) }),
            ])
    }

    func end(_ run: UUID, keys: Int, found: Int, repaired: Int, error: String?) async throws {
        _ = try await database.query(
            Self.end,
            [.uuid(run), .int(keys), .int(found), .int(repaired), PostgresValue(error?.cut(toBytes: 1000))])
    }

    /// The last run, whether over or not; nil before the first.
    func last() async throws -> ReconciliationReport? {
        guard let row = try await database.query(Self.last).first else { return nil }
        let id = try row.decode(UUID.self, at: 0)
        return ReconciliationReport(
            id: id, startedAt: try row.decode(Date.self, at: 1), endedAt: try row.decode(Date?.self, at: 2),
            repairs: try row.decode(Bool.self, at: 3), orders: try row.decode(Int.self, at: 4),
            found: try row.decode(Int.self, at: 5), repaired: try row.decode(Int.self, at: 6),
            findings: try await database.query(Self.findings, [.uuid(id), .int(settings.maxFindings)])
                .map(finding(row:)), error: try row.decode(String?.self, at: 7))
    }

    // MARK: Findings and repairs

    /// A finding whose proposal was not applied yet.
    func open(_ finding: UUID) async throws -> ReconciliationFinding? {
        try await database.query(Self.open, [.uuid(finding)]).first.map(self.finding(row:))
    }

    private func finding(row: PostgresRow) throws -> ReconciliationFinding {
        try JSONDecoder().decode(ReconciliationFinding.self, from: Data(try row.decode(String.self, at: 0).utf8))
    }

    /// Notes that a finding's proposal was applied.
    func applied(_ finding: UUID, _ repair: Repair) async throws {
        try await database.transaction { transaction in
            transaction.add(
                "UPDATE settle.reconciliation_finding SET applied_at = now() WHERE id = $1", [.uuid(finding)])
            add([repair], in: transaction)
        }
    }

    func add(_ repairs: [Repair], in transaction: borrowing PostgresTransaction) {
        guard !repairs.isEmpty else { return }
        transaction.add(
            Self.addRepairs,
            [
                .uuids(repairs.map { _ in .v7() }), .texts(repairs.map(\.kind)), .texts(repairs.map(\.key)),
                .texts(repairs.map(\.before)), .texts(repairs.map(\.after)), .texts(repairs.map(\.reason)),
            ])
    }

    /// Those of `subjects`, by their index, that were mended not long ago.
    func mended(_ subjects: [(kind: String, key: String)]) async throws -> Set<Int> {
        guard !subjects.isEmpty else { return [] }
        let rows = try await database.query(
            Self.mended,
            [
                .texts(subjects.map(\.kind)), .texts(subjects.map(\.key)), .int(settings.mendedOnce.milliseconds),
            ])
        return Set(try rows.map { try $0.decode(Int.self, at: 0) - 1 })
    }
}

// The statements.
extension ReconciliationStore {
    static let endLost = """
        UPDATE settle.reconciliation_run SET ended_at = now(), error = 'its process was lost'
        WHERE ended_at IS NULL AND lease_until < now()
        """

    static let begin = """
        INSERT INTO settle.reconciliation_run (id, lease_until, repairs)
        SELECT $1, now() + $3 * interval '1 millisecond', $2
        WHERE NOT coalesce((SELECT max(started_at) FROM settle.reconciliation_run)
                           > now() - $4::bigint * interval '1 millisecond', false)
        ON CONFLICT DO NOTHING RETURNING id
        """

    static let forget = """
        DELETE FROM settle.reconciliation_run
        WHERE id < (SELECT id FROM settle.reconciliation_run ORDER BY id DESC OFFSET $1 LIMIT 1)
        """

    static let renew = """
        UPDATE settle.reconciliation_run SET lease_until = now() + $2 * interval '1 millisecond', keys = $3
        WHERE id = $1 AND ended_at IS NULL RETURNING id
        """

    static let addFindings = """
        INSERT INTO settle.reconciliation_finding (id, run_id, finding)
        SELECT id, $1, finding FROM unnest($2::uuid[], $3::text[]) AS f (id, finding)
        """

    static let end = """
        UPDATE settle.reconciliation_run SET ended_at = now(), keys = $2, findings = $3, repaired = $4, error = $5
        WHERE id = $1 AND ended_at IS NULL
        """

    static let last = """
        SELECT id, started_at, ended_at, repairs, keys, findings, repaired, error
        FROM settle.reconciliation_run ORDER BY id DESC LIMIT 1
        """

    static let findings = """
        SELECT finding FROM settle.reconciliation_finding WHERE run_id = $1 ORDER BY id LIMIT $2
        """

    static let open = """
        SELECT finding FROM settle.reconciliation_finding WHERE id = $1 AND applied_at IS NULL
        """

    static let addRepairs = """
        INSERT INTO settle.reconciliation_repair (id, kind, key, before, after, reason)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
        """

    static let mended = """
        SELECT n FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS s (kind, key, n)
        WHERE (SELECT true FROM settle.reconciliation_repair r
               WHERE r.key = s.key AND r.kind = s.kind AND r.made_at > now() - $3 * interval '1 millisecond' LIMIT 1)
        """
}
