import HTTPTypes
import Settle
package import SettleServiceKit

extension LedgerRoutes: DescribedRoutes {
    package static var operations: [APIOperation] {
        [
            APIOperation(.get, "/ledger", .token, "Since when the ledger holds everything.")
                .answering(.ok, .object([:], optional: ["since": .time])),
            APIOperation(.post, "/ledger/digests", .token, "Checksums of the ranges between bounds.")
                .reading(
                    DigestsRequest.self, .request(["bounds": .array(of: .text, 2...DatabaseLedger.maxBounds)])
                )
                .answering(.ok, .object(["digests": .array(of: .object(["lines": .count, "sum": .text]))])),
            APIOperation(.post, "/ledger/entries", .token, "The entries of a range, by pages, or of keys.")
                .reading(
                    EntriesRequest.self,
                    .either([
                        .request(
                            ["from": .text],
                            optional: [
                                "to": .text, "after": .text,
                                "limit": .integer(1...Int64(DatabaseLedger.maxEntries)),
                            ]),
                        .request(["keys": .array(of: .text, 0...DatabaseLedger.maxEntries)]),
                    ])
                )
                .answering(
                    .ok,
                    .object(
                        ["entries": .array(of: .object(["key": .text, "lines": .array(of: line)]))],
                        optional: ["next": .text.about("For `after`; not there with the last page.")])),
            APIOperation(.post, "/ledger/adjustments", .token, "Books what an operator has decided, once for each id.")
                .reading(
                    LedgerAdjustment.self,
                    .request([
                        "id": .uuid, "key": .text(1...maxText), "before": lines, "after": lines,
                        "reason": .text(1...maxText),
                    ])
                )
                .answering(
                    .ok, .object(["adjusted": .bool.about("False when the entry is not as `before` any more.")])),
            APIOperation(.get, "/ledger/balances", .token, "Balances that are not the sum of their ledger.")
                .answering(
                    .ok,
                    .object(["accounts": .count, "differences": .array(of: difference), "more": .bool])),
            APIOperation(.post, "/ledger/balances", .token, "Sets balances to the sum of their ledger.")
                .reading(
                    CorrectionsRequest.self,
                    .request([
                        "corrections": .array(of: difference, 0...BalanceComparison.limit),
                        "reason": .text(1...maxText),
                    ])
                )
                .answering(.ok, .object(["corrected": .array(of: difference)])),
        ]
    }

    private static let lines = APISchema.array(
        of: .request(["account": .text(1...maxText), "kind": .text(1...maxText), "amount": .integer]),
        0...DatabaseLedger.maxEntries)
    private static let line = APISchema.object(["account": .text, "kind": .text, "amount": .integer])
    private static let difference = APISchema.object(
        ["account": .text, "column": .text, "balance": .integer, "ledger": .integer]
    ).named("BalanceDifference")
}
