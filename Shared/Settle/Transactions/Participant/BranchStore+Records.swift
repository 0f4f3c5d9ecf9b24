import Foundation
import SettlePostgres

// What operators ask.
extension BranchStore {
    static func records(of xids: [XID], in database: PostgresDatabase) async throws -> [BranchRecord] {
        try await database.query(records, [.texts(xids.map(\.rawValue))]).map { row in
            BranchRecord(
                xid: try row.decode(String.self, at: 0), branch: try row.decode(String.self, at: 9),
                mode: try row.decode(String?.self, at: 1), action: try row.decode(String?.self, at: 2),
                state: try row.decode(String.self, at: 3),
                initiator: try row.decode(String?.self, at: 4), createdAt: try row.decode(Date.self, at: 5),
                endedAt: try row.decode(Date?.self, at: 6), checks: try row.decode(Int.self, at: 7),
                tries: try row.decode(Int.self, at: 10),
                errormsg: try row.decode(String?.self, at: 8))
        }
    }

    /// A prepared transaction hides its row until it is committed.
    private static let records = """
        SELECT xid, mode, action, \(shownState), initiator, created_at, ended_at, checks, errormsg, branch_id, tries
        FROM settle.branch WHERE xid = ANY ($1::text[])
        UNION ALL
        SELECT split_part(gid, ':', 2), 'xa', NULL, 'prepared', regexp_replace(gid, '^([^:]*:){3}', ''), prepared, NULL, 0, NULL,
               \(PreparedTransactions.branchOfGID), 0
        FROM pg_prepared_xacts
        WHERE database = current_database() AND gid LIKE 'settle:%' AND split_part(gid, ':', 2) = ANY ($1::text[])
        ORDER BY 6
        """
}
