import Foundation
import SettleHTTPTestSupport
import SettleServiceKit
import Testing

@testable import Settle
@testable import SettleHTTP

@Suite("What the documents say of records that a healthy service seldom shows")
struct DescribedAnswerTests {
    private static let now = Date()
    private static let xid = "01900000-0000-7000-8000-000000000001"
    private static let line = LedgerLine(account: "tea", kind: "taken", amount: -2)

    private func isDescribed(_ values: [any Encodable], as schema: APISchema) throws {
        for value in values { #expect(try DescribedAnswer.differences(value, schema) == []) }
    }

    @Test("a value that is not as its schema says is found")
    func differences() throws {
        let schema = APISchema.object(["name": .text], optional: ["cups": .array(of: .integer(1...3))])
        #expect(try DescribedAnswer.differences(["name": "tea"], schema) == [])
        #expect(try DescribedAnswer.differences(["name": 1], schema).count == 1)
        #expect(try DescribedAnswer.differences(["cups": [1]], schema).count == 1)
        #expect(try DescribedAnswer.differences(["name": "tea", "lid": "on"], schema).count == 1)
    }

    @Test("branches, decided and not, and what operators decided on them")
    func branches() throws {
        try isDescribed(
            [
                UndecidedBranch(
                    xid: Self.xid, branch: "2.1", mode: "at", state: "undecided", initiator: "order",
                    createdAt: Self.now, tries: 3, errormsg: "x"),
                UndecidedBranch(
                    xid: Self.xid, branch: "2.1", mode: "xa", state: "prepared", initiator: "order", unresolved: true,
                    createdAt: Self.now, tries: 0, errormsg: nil),
            ], as: ParticipantRoutes.undecided)
        try isDescribed(
            [nil, BranchOutcome.committed, .rolledBack].map { outcome in
                OperatorDecision(
                    xid: Self.xid, decision: .commit, operator: "eve", reason: "x", forced: true, initiator: "order",
                    initiatorSaid: "nothing", decidedAt: Self.now, outcome: outcome)
            }, as: ParticipantRoutes.decision)
        try isDescribed(
            [
                BranchRecord(
                    xid: Self.xid, branch: "2.1", mode: "tcc", action: "deduct", state: "committed", initiator: "order",
                    createdAt: Self.now, endedAt: Self.now, checks: 2, tries: 1, errormsg: "x"),
                BranchRecord(
                    xid: Self.xid, branch: "2.1", mode: nil, action: nil, state: "rolledBack", initiator: nil,
                    createdAt: Self.now, endedAt: nil, checks: 0, tries: 0, errormsg: nil),
            ], as: BranchRecordRoutes.branch)
    }

    @Test("decisions, acknowledged and not")
    func decisions() throws {
        try isDescribed(
            [nil, Self.now].map {
                DecisionRecord(
                    xid: Self.xid, decision: .abort, participants: ["stock"], createdAt: Self.now, acknowledgedAt: $0,
                    attempts: 3)
            }, as: InitiatorRoutes.decision)
    }

    @Test("rows that stand in the way of a rollback")
    func rows() throws {
        try isDescribed(
            [nil, "{}"].map {
                DirtyRow(
                    xid: Self.xid, since: Self.now, reason: "x", table: "product", key: "{}", before: $0, after: $0,
                    now: $0, changed: ["available"], differs: true, choice: $0)
            }, as: BranchRecordRoutes.row)
    }

    @Test("what a comparison of books found, with each sort of proposal")
    func findings() throws {
        let difference = BalanceDifference(account: "tea", column: "available", balance: 1, ledger: 2)
        let proposals: [ReconciliationProposal?] = [
            nil, .adjust(book: "stock", key: "k", before: [Self.line], after: []), .correct(book: "stock", difference),
            .own(action: "discardTask", key: "7"),
        ]
        let findings = proposals.map {
            ReconciliationFinding(kind: "stockKept", orderId: "o", key: "k", book: "stock", detail: "x", proposal: $0)
        }
        try isDescribed(
            [nil, Self.now].map {
                ReconciliationReport(
                    id: UUID(), startedAt: Self.now, endedAt: $0, repairs: true, orders: 1, found: 1, repaired: 0,
                    findings: findings, error: $0 == nil ? "stock is away" : nil)
            }, as: ReconciliationRoutes.report)
    }
}
