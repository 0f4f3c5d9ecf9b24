import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

/// What `GET /reconciliation` says.
struct Reconciled: Decodable, Sendable {
    struct Finding: Decodable, Sendable {
        let id: String
        let kind: String
        let orderId: String?
        let key: String?
        let book: String?
        let detail: String
        let repaired: Bool
        let proposal: Proposal?
    }

    struct Proposal: Decodable, Sendable {
        let action: String
    }

    let startedAt: String
    let endedAt: String?
    let orders: Int
    let found: Int
    let findings: [Finding]
    let clean: Bool
    let error: String?

    var text: String {
        findings.prefix(12).map { "\($0.kind) \($0.orderId ?? $0.key ?? "") \($0.book ?? ""): \($0.detail)" }
            .joined(separator: "\n") + (error ?? "")
    }
}

extension Suite {
    /// How old orders must be in these tests: older than one ever is under way.
    static let settling: Duration = .seconds(6)

    static func withReconciliation(_ body: (Suite) async throws -> Void) async throws {
        try await with(
            settings: [
                "RECONCILIATION_INTERVAL": "0s", "RECONCILIATION_SETTLING": "\(settling.components.seconds)s",
                "TRANSACTION_DEADLINE": "4s",
            ], centre: true, body)
    }

    /// One run, from its beginning to its end.
    func reconcile(repair: Bool = true) async throws -> Reconciled {
        let before = try await lastReconciliation()?.startedAt
        let answer = try await send(
            "POST", .order, "/reconciliation", json: #"{"repair":\#(repair)}"#, authorized: true)
        #expect(answer.status == 202, "\(answer.text)")
        try await eventually("the run is over", within: .seconds(60)) {
            let last = try await self.lastReconciliation()
            return last?.endedAt != nil && last?.startedAt != before
        }
        return try #require(try await lastReconciliation())
    }

    private func lastReconciliation() async throws -> Reconciled? {
        let answer = try await send("GET", .order, "/reconciliation", authorized: true)
        return answer.status == 404 ? nil : try answer.decode(Reconciled.self)
    }

    /// What a person does who believes every proposal. Some are not right any more when their turn comes: another one has
    /// changed what they are about.
    func applyProposals(of report: Reconciled) async throws {
        for finding in report.findings where finding.proposal != nil && !finding.repaired {
            let answer = try await send(
                "POST", .order, "/reconciliation/apply", json: #"{"finding":"\#(finding.id)","reason":"a test"}"#,
                authorized: true)
            #expect([200, 503].contains(answer.status), "\(finding.kind): \(answer.text)")
        }
    }

    /// Runs and applies until the books agree, and says after how many runs they did.
    func reconcileUntilClean(rounds: Int = 12) async throws -> Int {
        var last: Reconciled?
        for round in 1...rounds {
            let report = try await reconcile()
            if report.clean { return round }
            try await applyProposals(of: report)
            // What was sent again is done, or is left for the next round.
            try await eventually("the tasks of repairs are answered", within: .seconds(20)) {
                try await self.number(
                    .order, "SELECT count(*) FROM task WHERE create_time < now() - interval '2 seconds'") == 0
            }
            last = report
        }
        throw NotInTime("the books do not agree after \(rounds) rounds: \(last?.text ?? "")")
    }

    /// Waits until what there is now is old enough to be compared.
    func letSettle() async throws { try await Task.sleep(for: Self.settling + .seconds(1)) }
}
