import Foundation
import SettlePostgres

// What operators ask.
extension DecisionStore {
    func records(isOpen: Bool, limit: Int) async throws -> [DecisionRecord] {
        try await database.query(isOpen ? Self.openRecords : Self.latestRecords, [.int(limit)])
            .map(DecisionRecord.init(row:))
    }

    func record(of xid: XID) async throws -> DecisionRecord? {
        try await database.query(
            "SELECT \(DecisionRecord.columns) FROM settle.global_transaction WHERE xid = $1", [.text(xid.rawValue)]
        ).first.map(DecisionRecord.init(row:))
    }

    private static let openRecords = """
        SELECT \(DecisionRecord.columns) FROM settle.global_transaction
        WHERE decision = 'commit' AND acknowledged_at IS NULL ORDER BY due_time LIMIT $1
        """

    /// XIDs begin with the time at which they were made.
    private static let latestRecords = """
        SELECT \(DecisionRecord.columns) FROM settle.global_transaction ORDER BY xid DESC LIMIT $1
        """
}

extension DecisionRecord {
    fileprivate static let columns =
        "xid, decision, array_to_string(participants, ' '), created_at, acknowledged_at, attempts"

    fileprivate init(row: PostgresRow) throws {
        xid = try row.decode(String.self, at: 0)
        // A CHECK of the table admits nothing else.
        decision = Decision(rawValue: try row.decode(String.self, at: 1)) ?? .undecided
        participants = try row.decode(String.self, at: 2).split(separator: " ").map(String.init)
        createdAt = try row.decode(Date.self, at: 3)
        acknowledgedAt = try row.decode(Date?.self, at: 4)
        attempts = try row.decode(Int.self, at: 5)
    }
}
