import Foundation
import SettlePostgres
import SettleSchema
import SettleTesting
import Testing

@testable import Settle

@Suite("The library's own inbox", .serialized, .enabled(if: TestBase.serverURL != nil), .timeLimit(.minutes(1)))
struct LibraryInboxTests {
    private typealias Credit = CreditApplier.Credit

    @Test("keeps every rule for a closure that knows nothing of copies, with and without an answer of its own")
    func closure() async throws {
        for answer in [nil, #"{"number":7}"#] {
            try await TestBase.with([
                SettleSchema.inbox, MigrationSet("credit", [CreditApplier.tables]),
            ]) { database in
                try await verifyExactlyOnce(
                    in: database, task: { Credit(key: "k\($0)", account: "ann") },
                    refused: { Credit(key: "r\($0)", account: "nobody") },
                    conflicting: { Credit(key: $0.key, account: "ann", amount: 6) }
                ) {
                    InboxApplier<Credit>("credits", database: $0, key: \.key) { credit, transaction in
                        let isDone =
                            try transaction.query(
                                "UPDATE account SET balance = balance + $2 WHERE name = $1",
                                [.text(credit.account), .int64(credit.amount)]
                            ).affected == 1
                        guard isDone else { throw TaskRefusal("no such account") }
                        return answer
                    }
                }
            }
        }
    }
}
