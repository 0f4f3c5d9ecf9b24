import SettleHTTPTestSupport
import SettleServiceKit
import Testing

@testable import SettleHTTP

@Suite("What the documents say of Settle's routes")
struct DescribedBodyTests {
    private static let operations: [APIOperation] =
        ParticipantRoutes.operations([])
        + [
            TaskRoutes.operations, DeadLetterRoutes.operations, InitiatorRoutes.operations, ProducerRoutes.operations,
            LedgerRoutes.operations, ReconciliationRoutes.operations, BranchRecordRoutes.operations,
            DiagnosisRoutes.operations, FaultRoutes.operations,
        ].flatMap(\.self)

    @Test("bodies are described as they are decoded")
    func bodies() { #expect(DescribedBody.differences(in: Self.operations) == []) }
}
