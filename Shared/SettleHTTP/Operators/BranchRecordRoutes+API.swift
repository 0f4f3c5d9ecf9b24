import HTTPTypes
import Settle
package import SettleServiceKit

extension BranchRecordRoutes: DescribedRoutes {
    package static var operations: [APIOperation] {
        [
            APIOperation(.get, "/transactions/{xid}", .token, "What this participant has of one global transaction.")
                .answering(.ok, .object(["branches": .array(of: Self.branch)])),
            APIOperation(.get, "/dirty-rows", .token, "Rows that stand in the way of rollbacks in mode `at`.")
                .taking(.limit(1...200, default: 50)).answering(.ok, .object(["rows": .array(of: Self.row)])),
            APIOperation(
                .post, "/dirty-rows/resolve", .token, "What becomes of such a row; the rollback is tried again."
            )
            .reading(
                Resolution.self,
                .byOperator([
                    "xid": .xid, "table": .text(1...255),
                    "key": .text(1...8_192).about("The JSON text that GET /dirty-rows gives."),
                    "choice": .choice(DirtyRowChoice.Kind.allCases.map(\.rawValue)),
                ])
            )
            .answering(.ok, .object(["outcome": .choice(["rolledBack", "dirty"])]))
            .refusing(DirtyRowRefusal.unknown.problem, DirtyRowRefusal.rowIsGone.problem),
        ]
    }

    static let branch = APISchema.object(
        ["xid": .xid, "branch": .branch, "state": .text, "createdAt": .time, "checks": .count, "tries": .count],
        optional: [
            "mode": .mode, "action": .text, "initiator": .text, "endedAt": .time,
            "errormsg": .text,
        ]
    ).named("Branch")

    static let row = APISchema.object(
        [
            "xid": .xid, "since": .time, "reason": .text, "table": .text, "key": .text, "changed": .array(of: .text),
            "differs": .bool,
        ], optional: ["before": .text, "after": .text, "now": .text, "choice": .text]
    ).about("Rows are JSON in a text, so that no number loses a digit.").named("DirtyRow")
}

extension APISchema {
    /// How a participant does its part.
    package static let mode = choice(BranchMode.allCases.map(\.rawValue))
}
