import SettleHTTP
import SettleHTTPTestSupport
import SettleServiceKit
import Testing

@testable import ShopFaultAgent
@testable import ShopMessageCentre
@testable import ShopOrder
@testable import ShopStock
@testable import ShopUserPoints

@Suite("What the documents say of the shop's routes")
struct DescribedBodyTests {
    private static let operations: [APIOperation] =
        [
            ShopOrder.OrderRoutes.operations, DashboardRoutes.operations(breaksOnDemand: true),
            ProductRoutes.operations,
            UserRoutes.operations, CustomerRoutes.operations, CentreRoutes.operations, OperatorRoutes.operations,
            TrialRoutes.operations,
        ].flatMap(\.self) + ParticipantRoutes.operations([Deduct.description, Spend.description])

    @Test("bodies are described as they are decoded")
    func bodies() { #expect(DescribedBody.differences(in: Self.operations) == []) }
}
