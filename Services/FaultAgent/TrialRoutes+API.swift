import HTTPTypes
import SettleServiceKit
import ShopContract

extension TrialRoutes {
    static let operations: [APIOperation] = [
        APIOperation(.get, "/switches", .token, "What can be broken, and what will happen then.")
            .answering(
                .ok,
                .object([
                    "switches": .array(
                        of: .object(
                            ["id": .text, "kind": .choice(Switch.Kind.allCases.map(\.rawValue)), "says": words],
                            optional: ["service": service]
                        ).named("Switch"))
                ])),
        APIOperation(.get, "/trials", .token, "What was broken since the agent's start, and what became of it.")
            .answering(.ok, .object(["trials": .array(of: trial)])),
        APIOperation(.get, "/trials/{id}", .token, "A trial, while it runs or afterwards.").answering(.ok, trial),
        APIOperation(.post, "/trials", .token, "Places orders, breaks something, and compares the books in the end.")
            .reading(
                Wanted.self,
                .request(
                    ["switch": .text.about("Its `id`.")],
                    optional: [
                        "orders": .integer(0...Int64(maxOrders)).default(50),
                        "seconds": .integer(1...Int64(maxSeconds)).default(8).about("How long it lasts, if it lasts."),
                    ])
            )
            .answering(.accepted, trial).refusing(Trials.isRunning),
    ]

    private static let service = APISchema.choice(ShopServices.all.map(\.name))
    private static let words = APISchema.object(["en": .text, "zh": .text])
    private static let sums = APISchema.object([
        "ordered": .integer.about("As orders have it that are settled."),
        "booked": .integer.about("As the service's ledger has it."),
    ])

    private static let books = APISchema.object(
        [
            "agree": .bool, "orders": .map(of: .count).about("By status."), "stockTaken": sums, "pointsEarned": sums,
            "pointsSpent": sums, "findings": .array(of: .text),
            "reconciliation": .object(
                ["startedAt": .time, "orders": .count, "found": .count, "clean": .bool], optional: ["endedAt": .time]),
        ])

    private static let trial = APISchema.object(
        [
            "id": .uuid, "switch": .text, "startedAt": .time,
            "phase": .choice(TrialRecord.Phase.allCases.map(\.rawValue)),
            "orders": .object(["sent": .count, "placed": .count, "refused": .count, "unanswered": .count]),
            "mended": .array(
                of: .object([
                    "what": .choice(Evidence.allCases.map(\.rawValue)), "service": .text, "count": .count,
                ])
            ).about("What the services have counted meanwhile."),
            "problems": .array(of: .text).about("Why all is not well."),
        ],
        optional: [
            "hitAt": .time.about("When it broke."),
            "inFlight": .object([
                "requests": .count, "orders": .count, "tasks": .count, "decisions": .count, "branches": .count,
                "messages": .count,
            ]).about("What was on its way then."),
            "settledAfter": .number.about("Seconds from the break until nothing was on its way any more."),
            "books": books, "isWell": .bool.about("Once it is over."),
        ]
    ).named("Trial")
}
