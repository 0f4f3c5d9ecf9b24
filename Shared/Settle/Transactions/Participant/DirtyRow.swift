public import Foundation
import Logging
import SettleCore
import SettlePostgres

/// A row that stands in the way of a rollback in mode `at`; see docs/at.md.
///
/// Rows are JSON in a text, as PostgreSQL writes it, so that no number loses a digit on its way.
public struct DirtyRow: Encodable, Sendable {
    /// The global transaction whose rollback stopped.
    public let xid: String
    /// When it stopped first.
    public let since: Date
    /// What is in its way.
    public let reason: String
    /// The row's table.
    public let table: String
    /// The row's key, which ``CheckBack/resolve(_:by:because:)`` takes.
    public let key: String
    /// The row before the transaction; nil where it inserted the row.
    public let before: String?
    /// The row as the transaction left it; nil where it deleted the row.
    public let after: String?
    /// The row as it is; nil where there is none.
    public let now: String?
    /// The columns that the transaction changed.
    public let changed: [String]
    /// Whether the row is not as the transaction left it. Where no row of the transaction is so, all are listed.
    public let differs: Bool
    /// What an operator has chosen, as long as others of the same transaction are open.
    public let choice: String?
}

/// What an operator wants done with a row that stands in the way of a rollback.
public struct DirtyRowChoice: Sendable {
    /// What the row becomes.
    public enum Kind: String, Sendable, CaseIterable {
        /// What it was before the transaction.
        case restore
        /// What it is now.
        case keep
        /// What it is now, but with the columns that the transaction changed as they were before.
        case restoreChanged = "restore-changed"
    }

    /// The global transaction.
    public let xid: XID
    /// The table, as it was listed.
    public let table: String
    /// The key, as it was listed: a JSON object in a text.
    public let key: String
    /// What the row becomes.
    public let kind: Kind

    /// - Parameters:
    ///   - xid: the global transaction.
    ///   - table: the table, as it was listed.
    ///   - key: the key, as it was listed.
    ///   - kind: what the row becomes.
    public init(xid: XID, table: String, key: String, kind: Kind) {
        self.xid = xid
        self.table = table
        self.key = key
        self.kind = kind
    }
}

/// Why an operator's choice is not taken.
public enum DirtyRowRefusal: Error, Sendable, Equatable {
    /// No rollback of that transaction is blocked here, or it has no such row.
    case unknown
    /// The key is no JSON, or none that can be a row's.
    case unreadableKey
    /// The row is gone, so that there are no other columns to leave alone.
    case rowIsGone
}

extension CheckBack {
    /// The rows that stand in the way of rollbacks, of the oldest first.
    ///
    /// - Parameter limit: the most that are answered.
    public func dirtyRows(limit: Int) async throws -> [DirtyRow] {
        try await participant.ending.query(Self.dirty, [.int(limit)]).map { row in
            DirtyRow(
                xid: try row.decode(String.self, at: 0), since: try row.decode(Date.self, at: 1),
                reason: try row.decode(String.self, at: 2), table: try row.decode(String.self, at: 3),
                key: try row.decode(String.self, at: 4), before: try row.decode(String?.self, at: 5),
                after: try row.decode(String?.self, at: 6), now: try row.decode(String?.self, at: 7),
                changed: try row.decode(String?.self, at: 8)?.split(separator: "\n").map(String.init) ?? [],
                differs: try row.decode(Bool.self, at: 9), choice: try row.decode(String?.self, at: 10))
        }
    }

    /// Does with one row what an operator wants, and tries the rollback again.
    ///
    /// - Parameters:
    ///   - choice: the row, and what it becomes.
    ///   - operator: who chose, for the log.
    ///   - reason: why, for the log.
    /// - Returns: `rolledBack` when nothing was in the way any more, `dirty` while something is.
    /// - Throws: `DirtyRowRefusal`, or what the database throws.
    public func resolve(
        _ choice: DirtyRowChoice, by operator: String, because reason: String
    ) async throws -> String {
        let answer: PostgresRows
        do {
            answer = try await participant.ending.query(
                Self.resolution,
                [.text(choice.xid.rawValue), .text(choice.table), .text(choice.key), .text(choice.kind.rawValue)])
        } catch let error as PostgresError {
            guard let refusal = DirtyRowRefusal(error) else { throw error }
            throw refusal
        }
        guard let outcome = try answer.first?.decode(String?.self, at: 0) else { throw DirtyRowRefusal.unknown }
        logger.notice(
            "an operator decides on a row that stands in the way of a rollback",
            metadata: [
                "xid": "\(choice.xid)", "table": "\(choice.table)", "key": "\(choice.key)",
                "choice": "\(choice.kind.rawValue)", "operator": "\(`operator`)", "reason": "\(reason)",
                "outcome": "\(outcome)",
            ])
        // Its rows are put back; the branch is ended now, and not when its initiator is asked next, if it can be.
        if outcome == "rolledBack", let ended = try await participant.rollBack([choice.xid])[choice.xid] {
            try await OperatorDecisionStore(database: participant.ending).ended(choice.xid, ended)
        }
        return outcome
    }

    private static let dirty = """
        SELECT xid, since, reason, "table"::text, key::text, before::text, after::text, now::text,
               array_to_string(changed, E'\\n'), differs, choice
        FROM settle.at_dirty() LIMIT $1
        """

    /// Of a table that is not there it answers no row, instead of failing on its name.
    private static let resolution = """
        SELECT outcome FROM to_regclass($2) AS t (relation), settle.at_resolve($1, relation, $3::jsonb, $4)
        WHERE relation IS NOT NULL
        """
}

extension DirtyRowRefusal {
    fileprivate init?(_ error: PostgresError) {
        switch error.sqlState {
        // Not found; no name of a table: ill formed, of another database, with too many parts.
        case "P0002", "42602", "0A000", "42601": self = .unknown
        // No JSON; JSON that jsonb cannot hold: a number too large, U+0000.
        case "22P02", "22003", "22P05": self = .unreadableKey
        case "22023": self = .rowIsGone
        default: return nil
        }
    }
}
