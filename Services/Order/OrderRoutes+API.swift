import HTTPTypes
import Settle
import SettleHTTP
import SettleServiceKit

extension OrderRoutes {
    static let operations: [APIOperation] = [
        APIOperation(.post, "/orders", .customer, "Places an order.")
            .taking(
                .header(
                    "Idempotency-Key", .text(1...255),
                    "The same key with the same body places one order, however often.")
            )
            .reading(
                OrderRequest.self,
                .request(
                    [
                        "userName": .text(1...64).example("alice"),
                        "items": .array(
                            of: .request(["sku": .text(1...64).example("tea"), "quantity": .integer(1...1_000_000)]),
                            1...100
                        ).about("A sku at most once."),
                    ],
                    optional: [
                        "mode": .orderMode.about("How the stock is taken; `at` unless said."),
                        "spendPoints": .integer(0...Int64.max).default(0)
                            .about("At most the price; 0 in the modes `message` and `centre`."),
                    ])
            )
            .answering(.created, order, headers: [location], "Placed")
            .answering(.ok, order, headers: [location], "Placed before, with this Idempotency-Key")
            .refusing(
                .notFound(""), .conflict("insufficient-stock", ""), .conflict("insufficient-points", ""),
                BranchError.locked.problem, BranchError.xaImpossible.problem, BranchError.atImpossible.problem,
                .flashStockUnavailable),
        APIOperation(.get, "/orders/{id}", .customer, "An order, and the tasks or messages that it goes through.")
            .answering(.ok, .order(more: ["tasks": .array(of: .either([.task, message]))]).named("OrderDetails")),
        APIOperation(.get, "/orders", .customer, "Orders, newest first.")
            .taking(
                .query("userName", .text(1...64), "Where customers are told apart, only operators may leave it out."),
                .query("status", .choice(statuses)),
                .query("before", .uuid, "What `next` of the page before gave."), .limit(1...200, default: 50)
            )
            .answering(.ok, .object(["orders": .array(of: order)], optional: ["next": .uuid])),
    ]

    static let order = APISchema.order().named("Order")
    fileprivate static let statuses = ["placed", "settled", "cancelling", "cancelled"]
    private static let location = APIParameter.header("Location", .text, isRequired: true, "The order's path.")
    /// In mode `centre`; but for its id like a task.
    private static let message = APISchema.object(
        [
            "id": .uuid, "businessKey": .text, "taskType": .text, "status": .text, "attempts": .count,
            "createTime": .milliseconds, "updateTime": .milliseconds,
        ], optional: ["deleteTime": .milliseconds, "errormsg": .text]
    ).named("SentMessage")
}

extension APISchema {
    fileprivate static let orderMode = either([
        .choice(BranchMode.local.map(\.rawValue) + ["message", "centre"]),
        .request(
            ["stock": localMode, "points": localMode],
            optional: [
                "pointsVia": .choice(["order", "stock"]).about("Who calls user-points for the points that are spent.")
            ]),
    ]).named("OrderMode")

    private static let localMode = choice(BranchMode.local.map(\.rawValue))

    fileprivate static func order(more: KeyValuePairs<String, APISchema> = [:]) -> APISchema {
        object(
            [
                "id": .uuid, "userName": .text,
                "items": .array(of: .object(["sku": .text, "quantity": .integer, "unitPrice": .integer])),
                "total": .integer, "spendPoints": .integer, "payMoney": .integer, "point": .integer,
                "status": .choice(OrderRoutes.statuses), "mode": .orderMode, "xid": .xid.orNull, "createdAt": .time,
            ], optional: ["reason": .text]
        ).adding(more)
    }
}

extension StoryRoutes {
    static let operations: [APIOperation] = [
        APIOperation(.get, "/orders/{id}/story", .token, "What became of an order, across the services.")
            .answering(
                .ok,
                .object([
                    "order": OrderRoutes.order,
                    "events": .array(
                        of: .object(["at": .time, "service": .text, "what": .text, "detail": .text])),
                    "open": .array(of: .object(["service": .text, "what": .text, "detail": .text])),
                    "missing": .array(of: .text).about("Services that could not be asked now."),
                ]))
    ]
}
