import HTTPTypes
import Settle
package import SettleServiceKit

extension ParticipantRoutes {
    /// What is said of its routes.
    ///
    /// - Parameter actions: one for each that the participant has.
    package static func operations(_ actions: [ActionDescription]) -> [APIOperation] {
        [
            phaseTwo("commit", "What was done stays; idempotent."),
            phaseTwo("rollback", "What was done is undone, and never done if it was not; idempotent."),
            APIOperation(.get, "/transactions", .token, "Branches that wait for their decision, oldest first.")
                .taking(.limit(1...1000, default: 200))
                .answering(.ok, .object(["branches": .array(of: undecided), "decisions": .array(of: decision)])),
            APIOperation(.post, "/transactions/decide", .token, "Ends a branch in place of its initiator.")
                .reading(
                    OperatorRequest.self,
                    .byOperator(
                        ["xid": .xid, "decision": .choice(["commit", "abort"])],
                        optional: ["force": .bool.about("Although the initiator may still decide.")])
                )
                .answering(.ok, decision, "The branch has ended so")
                .answering(.accepted, decision, "It ends so, as soon as it can")
                .refusing(OperatorDecisionRefusal.unknown.problem)
                .refusing(
                    OperatorDecisionRefusal.ended(.committed).problem,
                    OperatorDecisionRefusal.operatorDecidedOtherwise.problem,
                    OperatorDecisionRefusal.mayStillDecide.problem),
        ] + actions.flatMap { [alone($0), group($0)] }
    }

    private static func phaseTwo(_ end: String, _ summary: String) -> APIOperation {
        APIOperation(.post, "/transactions/\(end)", .token, summary)
            .reading(XIDs.self, XIDs.schema)
            .answering(.ok, .object(["outcomes": .map(of: .choice(["committed", "rolledBack"]))]), "By XID")
    }

    private static func alone(_ action: ActionDescription) -> APIOperation {
        let call = APIOperation(.post, "/branches/\(action.name)", .token, action.summary)
            .taking(
                .header(BranchContext.xidHeader, .xid, isRequired: true, "The global transaction."),
                .header(BranchContext.branchHeader, .branch, "Which branch of it; 1 unless said."),
                .header(BranchContext.modeHeader, .mode, isRequired: true, "How this part is done."),
                .header(
                    BranchContext.initiatorHeader, .text(1...BranchContext.maxInitiatorLength), isRequired: true,
                    "Who decides: a name or base URL that INITIATORS lists."),
                .header(
                    BranchContext.initiatorNameHeader, .text(1...BranchContext.maxInitiatorLength),
                    "Its name; counts before the URL."),
                .header(
                    BranchContext.deadlineHeader, .milliseconds,
                    "What is left of the transaction's time, in milliseconds."),
                .header(
                    BranchContext.waitHeader, .milliseconds, "For how long the caller waits, in milliseconds.")
            )
        return action.reading(call).answering(.ok, action.answer, headers: [enlisted])
            .refusing(action.refusals + branchErrors.map(\.problem) + [CheckBack.unknownInitiator])
    }

    private static let enlisted = APIParameter.header(
        BranchContext.enlistedHeader, .text, "Whom the participant called in turn, with commas between.")

    private static func group(_ action: ActionDescription) -> APIOperation {
        APIOperation(
            .post, "/branches/\(action.name)/group", .token, "Several calls of this action, each answered as if alone."
        )
        .reading(
            BranchGroup.self,
            .request([
                "calls": .array(
                    of: .request([
                        "headers": .map(of: .text).about("Those that the call would have by itself."),
                        "request": .text.about("The JSON that its body would be."),
                    ]), 1...BranchGroup.limit)
            ])
        )
        .answering(
            .ok,
            .object([
                "answers": .array(
                    of: .object(
                        ["status": .integer(100...599), "body": .text.about("The JSON that the body would be.")],
                        optional: [
                            "retryAfter": .text, "enlisted": .text, "mustRollBack": .bool, "isDone": .bool,
                        ]), 1...BranchGroup.limit)
            ]))
    }

    /// What may keep a part from being done; ``BranchError/comeAlone`` is said in groups only.
    private static let branchErrors: [BranchError] = [
        .locked, .transactionIsOver, .otherRequest, .prepared, .tooManyRows(limit: 1), .unsupportedMode(.at),
        .tooManyBranches, .nameTooLong, .resourceAway,
        .atImpossible, .xaImpossible,
    ]

    static let undecided = APISchema.object(
        [
            "xid": .xid, "branch": .branch, "mode": .text, "state": .text, "initiator": .text, "unresolved": .bool,
            "createdAt": .time, "tries": .count,
        ],
        optional: ["errormsg": .text]
    ).named("UndecidedBranch")

    static let decision = APISchema.object(
        [
            "xid": .xid, "decision": .choice(["commit", "abort"]), "operator": .text, "reason": .text,
            "forced": .bool, "initiator": .text, "initiatorSaid": .text, "decidedAt": .time,
        ], optional: ["outcome": .choice(["committed", "rolledBack"])]
    ).named("OperatorDecision")
}

extension InitiatorRoutes: DescribedRoutes {
    package static var operations: [APIOperation] {
        [
            APIOperation(.post, "/transactions/outcomes", .token, "What was decided: check-back of participants.")
                .reading(XIDs.self, XIDs.schema)
                .answering(
                    .ok, .object(["outcomes": .map(of: .choice(["commit", "abort", "undecided"]))]), "By XID"),
            APIOperation(.get, "/decisions", .token, "Commits that not every participant has confirmed.")
                .taking(
                    .query(
                        "state", .choice(["open", "all"]), "With `all` the latest decisions, whatever became of them."),
                    .limit(1...200, default: 50)
                )
                .answering(.ok, .object(["decisions": .array(of: Self.decision)])),
            APIOperation(.get, "/decisions/{xid}", .token, "What was decided on one global transaction.")
                .answering(.ok, Self.decision),
        ]
    }

    static let decision = APISchema.object(
        [
            "xid": .xid, "decision": .choice(["commit", "abort"]), "participants": .array(of: .text),
            "createdAt": .time, "attempts": .count,
        ], optional: ["acknowledgedAt": .time]
    ).named("Decision")
}

extension XIDs {
    fileprivate static let schema = APISchema.request(
        ["xids": .array(of: .xid, 0...limit)],
        optional: ["onlyRead": .bool.about("Asked of an initiator: not to end what is undecided.")])
}
