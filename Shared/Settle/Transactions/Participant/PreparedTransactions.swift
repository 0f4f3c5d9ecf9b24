import SettleCore
import SettlePostgres

/// The transactions that mode `xa` has prepared in PostgreSQL and not ended yet.
///
/// A prepared transaction is invisible but for its name, so the name says all that recovery needs:
/// `settle:` + XID + `:` + participant + `.` + seconds until the deadline + `:` + initiator, and after the seconds, for all but
/// branch 1, `.` + the branch. The participant is in it because names are unique in the whole server: two participants may have
/// their databases on one.
struct PreparedTransactions: Sendable {
    struct Prepared: Sendable {
        let gid: String
        let xid: XID
        let branch: BranchID
        /// Its name; its base URL in what an earlier version has prepared.
        let initiator: String
        /// How long it has been prepared.
        let age: Duration
        /// What was left of the transaction's time then; nil if its name does not say.
        let timeLeft: Duration?
    }

    /// How many bytes PostgreSQL takes.
    private static let maxLength = 199

    /// In SQL, the branch in a name.
    static let branchOfGID =
        "coalesce(nullif(regexp_replace(split_part(gid, ':', 3), '^[^.]*[.]?[^.]*[.]?', ''), ''), '1')"

    /// In base 36, so that they have at most three digits.
    private static let mostSeconds = 36 * 36 * 36 - 1

    let database: PostgresDatabase
    let participant: String

    /// - Throws: `BranchError.nameTooLong` where all that must be in it does not fit; it does for branch 1.
    func gid(_ context: BranchContext, timeLeft: Duration) throws -> String {
        let seconds = min((timeLeft.milliseconds + 999) / 1000, Self.mostSeconds)
        let branch = context.branch == .first ? "" : ".\(context.branch)"
        let own = "\(participant).\(String(seconds, radix: 36))\(branch)"
        let gid = "settle:\(context.xid):\(own):\(context.initiator)"
        guard gid.utf8.count <= Self.maxLength else { throw BranchError.nameTooLong }
        return gid
    }

    /// Those of `xids` that are prepared.
    func find(_ xids: [XID]) async throws -> [Prepared] {
        try await query("split_part(gid, ':', 2) = ANY($1::text[])", [.texts(xids.map(\.rawValue))])
    }

    /// Those that have waited for at least `age`, oldest first. There are at most `max_prepared_transactions`.
    func waiting(longerThan age: Duration) async throws -> [Prepared] {
        try await query(
            "prepared < now() - $1 * interval '1 millisecond' ORDER BY prepared", [.int(age.milliseconds)])
    }

    /// Ends one; false when it was gone already, as another replica, or an earlier try, was faster.
    func end(_ prepared: Prepared, verdict: Verdict) async throws -> Bool {
        do {
            // The statement takes no parameters; the name is quoted as the SQL standard says.
            let name = prepared.gid.replacing("'", with: "''")
            _ = try await database.query("\(verdict == .commit ? "COMMIT" : "ROLLBACK") PREPARED '\(name)'")
            return true
        } catch let error as PostgresError where error.sqlState == "42704" {
            return false
        }
    }

    /// Whether the server allows them at all (`max_prepared_transactions`).
    func isPossible() async throws -> Bool {
        let rows = try await database.query("SELECT current_setting('max_prepared_transactions')::int > 0")
        return try rows.first?.decode(Bool.self, at: 0) ?? false
    }

    private func query(_ condition: String, _ parameters: [PostgresValue]) async throws -> [Prepared] {
        try await database.query(
            """
            SELECT gid, (extract(epoch FROM clock_timestamp() - prepared) * 1000)::bigint FROM pg_prepared_xacts
            WHERE database = current_database() AND gid LIKE 'settle:%' AND \(condition)
            """, parameters
        ).compactMap { row in
            let gid = try row.decode(String.self, at: 0)
            let parts = gid.split(separator: ":", maxSplits: 3).map(String.init)
            guard parts.count == 4, let xid = XID(rawValue: parts[1]) else { return nil }
            let name = parts[2].split(separator: ".", maxSplits: 2)
            let seconds = name.count > 1 ? Int(name[1], radix: 36) : nil
            guard let branch = name.count > 2 ? BranchID(rawValue: String(name[2])) : .first else { return nil }
            return Prepared(
                gid: gid, xid: xid, branch: branch, initiator: parts[3],
                age: .milliseconds(try row.decode(Int.self, at: 1)),
                timeLeft: seconds.map { .seconds($0) })
        }
    }
}
