import SettleCore
public import Foundation
import SettlePostgres

/// What an operator decided in place of an initiator that does not say anything, as it stands in
/// `settle.operator_decision`.
public struct OperatorDecision: Encodable, Sendable, Equatable {
    /// The global transaction.
    public let xid: String
    /// `commit` or `abort`.
    public let decision: Decision
    /// Who decided.
    public let `operator`: String
    /// Why.
    public let reason: String
    /// Whether the operator insisted, although the initiator might still have decided.
    public let forced: Bool
    /// Who should have decided, as the branch has it.
    public let initiator: String
    /// What came of asking it: `unresolved`, `unreachable`, or what it said.
    public let initiatorSaid: String
    /// When.
    public let decidedAt: Date
    /// What became of the branch; nil while it has not ended.
    public let outcome: BranchOutcome?
}

/// Why an operator's decision is not taken.
public enum OperatorDecisionRefusal: Error, Sendable, Equatable {
    /// There is no such branch here.
    case unknown
    /// The branch has ended already.
    case ended(BranchOutcome)
    /// The initiator was asked, and says otherwise.
    case decidedOtherwise(Decision)
    /// An operator has decided otherwise before.
    case operatorDecidedOtherwise
    /// The initiator may still decide: it can be asked and has not, or cannot be asked and the deadline has not passed.
    /// Only `force` goes on.
    case mayStillDecide
}

/// The statements over `settle.operator_decision`.
struct OperatorDecisionStore: Sendable {
    let database: PostgresDatabase

    func find(_ xid: XID) async throws -> OperatorDecision? {
        try await database.query(
            "SELECT \(OperatorDecision.columns) FROM settle.operator_decision WHERE xid = $1", [.text(xid.rawValue)]
        ).first.map(OperatorDecision.init(row:))
    }

    /// The latest first.
    func latest(_ limit: Int) async throws -> [OperatorDecision] {
        try await database.query(
            "SELECT \(OperatorDecision.columns) FROM settle.operator_decision ORDER BY decided_at DESC LIMIT $1",
            [.int(limit)]
        ).map(OperatorDecision.init(row:))
    }

    /// Records the decision unless there is one already.
    func insert(
        _ xid: XID, _ decision: Decision, by operator: String, because reason: String, forced: Bool, initiator: String,
        said: String
    ) async throws {
        _ = try await database.query(
            """
            INSERT INTO settle.operator_decision (xid, decision, operator, reason, forced, initiator, initiator_said)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
            """,
            [
                .text(xid.rawValue), .text(decision.rawValue), .text(`operator`), .text(reason), .bool(forced),
                .text(initiator), .text(said),
            ])
    }

    func ended(_ xid: XID, _ outcome: BranchOutcome) async throws {
        _ = try await database.query(
            "UPDATE settle.operator_decision SET outcome = $2 WHERE xid = $1 AND outcome IS NULL",
            [.text(xid.rawValue), .text(outcome.rawValue)])
    }
}

extension OperatorDecision {
    fileprivate static let columns = """
        xid, decision, operator, reason, forced, initiator, initiator_said, decided_at, outcome
        """

    fileprivate init(row: PostgresRow) throws {
        xid = try row.decode(String.self, at: 0)
        // A CHECK of the table admits nothing else.
        decision = Decision(rawValue: try row.decode(String.self, at: 1)) ?? .undecided
        `operator` = try row.decode(String.self, at: 2)
        reason = try row.decode(String.self, at: 3)
        forced = try row.decode(Bool.self, at: 4)
        initiator = try row.decode(String.self, at: 5)
        initiatorSaid = try row.decode(String.self, at: 6)
        decidedAt = try row.decode(Date.self, at: 7)
        outcome = try row.decode(String?.self, at: 8).flatMap(BranchOutcome.init)
    }
}
