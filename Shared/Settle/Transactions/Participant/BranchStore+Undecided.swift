import SettleCore
import Foundation
import SettlePostgres

// The statements over `settle.branch` for those that wait for their decision.
extension BranchStore {
    /// What waits for one initiator.
    struct Waiting: Sendable {
        /// As the rows have it.
        let initiator: String
        let count: Int
        /// Of these, those that could not be ended.
        let stuck: Int
        let oldest: Duration
    }

    static func countUndecided(in database: PostgresDatabase) async throws -> [Waiting] {
        try await database.query(
            """
            SELECT initiator, count(*), count(errormsg),
                   (extract(epoch FROM clock_timestamp() - min(created_at)) * 1000)::bigint
            FROM settle.branch WHERE state = 'undecided' GROUP BY initiator
            """
        ).map { row in
            Waiting(
                initiator: try row.decode(String.self, at: 0), count: try row.decode(Int.self, at: 1),
                stuck: try row.decode(Int.self, at: 2), oldest: .milliseconds(try row.decode(Int.self, at: 3)))
        }
    }

    /// A transaction whose initiator is to be asked now.
    struct Claimed: Sendable {
        let xid: XID
        let initiator: String
        var isOverdue: Bool
    }

    /// The transactions of up to a batch of branches that are due to be asked about and wait for one of `initiators`. They
    /// are due again later each time, so that replicas do not ask about the same ones, but at their deadline.
    static func claim(
        of initiators: [String], _ settings: TransactionSettings, in database: PostgresDatabase
    ) async throws -> [Claimed] {
        let backoff = settings.checkBackoff
        let rows = try await database.query(
            due(settings.batchSize),
            [.int(backoff.initial.milliseconds), .int(backoff.cap.milliseconds), .texts(initiators)])
        var claimed: [XID: Claimed] = [:]
        for row in rows {
            guard let xid = XID(rawValue: try row.decode(String.self, at: 0)) else { continue }
            let isEarly = try row.decode(Bool?.self, at: 2)
            // The branches of a transaction have one deadline; each noted it by its own clock.
            let isOverdue = isEarly != true && claimed[xid]?.isOverdue ?? true
            claimed[xid] = Claimed(xid: xid, initiator: try row.decode(String.self, at: 1), isOverdue: isOverdue)
        }
        return Array(claimed.values)
    }

    /// The number in the text, as in `TaskStatements.claim`. By their places, which the lock keeps: the key has two columns.
    static func due(_ limit: Int) -> String {
        """
        WITH due AS (
            SELECT ctid AS place FROM settle.branch
            WHERE state = 'undecided' AND check_time <= now() AND initiator = ANY ($3::text[])
            ORDER BY check_time LIMIT \(limit) FOR UPDATE SKIP LOCKED)
        UPDATE settle.branch SET
            checks = checks + 1,
            check_time = least(
                now() + least($2, $1 * 2 ^ least(checks, 20)) * (0.75 + random() * 0.5) * interval '1 millisecond',
                CASE WHEN deadline > now() THEN deadline END)
        WHERE ctid = ANY (ARRAY(SELECT place FROM due))
        RETURNING xid, initiator, deadline > now()
        """
    }

    /// The oldest that wait, prepared transactions too.
    ///
    /// - Parameter unended: prepared transactions that could not be ended; there is no row that could say so.
    static func undecided(
        limit: Int, unended: Set<XID>, in database: PostgresDatabase
    ) async throws -> [UndecidedBranch] {
        try await database.query(
            """
            SELECT xid, mode, \(shownState), initiator, created_at, errormsg, branch_id, tries
            FROM settle.branch WHERE state = 'undecided'
            UNION ALL
            SELECT split_part(gid, ':', 2), 'xa', 'prepared', regexp_replace(gid, '^([^:]*:){3}', ''), prepared,
                   CASE WHEN split_part(gid, ':', 2) = ANY ($2::text[]) THEN 'it could not be ended; the log says why' END,
                   \(PreparedTransactions.branchOfGID), 0
            FROM pg_prepared_xacts
            WHERE database = current_database() AND gid LIKE 'settle:%'
            ORDER BY 5 LIMIT $1
            """, [.int(limit), .texts(unended.map(\.rawValue))]
        ).map { row in
            UndecidedBranch(
                xid: try row.decode(String.self, at: 0), branch: try row.decode(String.self, at: 6),
                mode: try row.decode(String.self, at: 1), state: try row.decode(String.self, at: 2),
                initiator: try row.decode(String.self, at: 3),
                createdAt: try row.decode(Date.self, at: 4), tries: try row.decode(Int.self, at: 7),
                errormsg: try row.decode(String?.self, at: 5))
        }
    }

    /// In mode `mt` an undecided branch has no answer as long as its part is not done.
    static let shownState = """
        CASE WHEN mode = 'mt' AND state = 'undecided'
             THEN CASE WHEN answer IS NULL THEN 'preparing' ELSE 'prepared' END ELSE state END
        """

    /// A transaction's branches here, which an operator is to decide on.
    struct Owned: Sendable {
        /// `undecided` as long as one of them is; nil for a prepared transaction.
        let state: BranchState?
        /// Who should decide.
        let initiator: String
        /// Whether its transaction's deadline has passed.
        let isOverdue: Bool
    }

    /// Nil when the transaction has no branch here, or only the memory of a rollback that found none.
    ///
    /// - Parameter standard: the time of a transaction whose row does not say.
    static func owned(_ xid: XID, standard: Duration, in database: PostgresDatabase) async throws -> Owned? {
        try await database.query(
            """
            SELECT state, initiator,
                   coalesce(deadline, created_at + $2 * interval '1 millisecond') <= clock_timestamp()
            FROM settle.branch WHERE xid = $1 AND initiator IS NOT NULL ORDER BY ended_at NULLS FIRST LIMIT 1
            """, [.text(xid.rawValue), .int(standard.milliseconds)]
        ).first.map { row in
            Owned(
                state: BranchState(rawValue: try row.decode(String.self, at: 0)),
                initiator: try row.decode(String.self, at: 1), isOverdue: try row.decode(Bool.self, at: 2))
        }
    }

    /// Forgets branches that are ended.
    static func purge(_ settings: TransactionSettings) -> TransactionPurge {
        TransactionPurge("settle.branch", isOver: "ended_at < \(TransactionPurge.limit)", settings)
    }
}
