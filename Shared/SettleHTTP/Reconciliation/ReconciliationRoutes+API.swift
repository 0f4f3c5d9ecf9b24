import HTTPTypes
package import SettleServiceKit

extension ReconciliationRoutes: DescribedRoutes {
    package static var operations: [APIOperation] {
        [
            APIOperation(.post, "/reconciliation", .token, "Begins to compare the books, unless that is under way.")
                .reading(
                    Which.self, .request([:], optional: ["repair": .bool.about("False only looks.")]), isRequired: false
                )
                .answering(.accepted, .object(["status": .choice(["begun", "running"])])),
            APIOperation(.get, "/reconciliation", .token, "What the last run found, or has found so far.")
                .answering(.ok, Self.report).answering(
                    .ok, .text, type: "text/plain", "A table, where Accept says text/plain"
                )
                .refusing(.notFound("")),
            APIOperation(.post, "/reconciliation/apply", .token, "Has the proposal of a finding carried out.")
                .reading(Decision.self, .request(["finding": .uuid, "reason": .text(1...255)]))
                .answering(.ok, .object(["applied": .bool.about("False when it is not right any more.")]))
                .refusing(.notFound("")),
        ]
    }

    static let report = APISchema.object(
        [
            "id": .uuid, "startedAt": .time, "endedAt": .time.orNull, "repairs": .bool, "orders": .count,
            "found": .count, "repaired": .count, "findings": .array(of: finding), "clean": .bool,
        ], optional: ["error": .text])

    private static let finding = APISchema.object(
        ["id": .uuid, "kind": .text, "detail": .text, "repaired": .bool],
        optional: [
            "orderId": .text, "key": .text, "book": .text,
            "proposal": .object(
                ["action": .text],
                optional: [
                    "book": .text, "key": .text, "before": lines, "after": lines, "account": .text, "column": .text,
                    "balance": .integer, "ledger": .integer,
                ]),
        ]
    ).named("Finding")

    private static let lines = APISchema.array(
        of: .object(["account": .text, "kind": .text, "amount": .integer]))
}
