import HTTPTypes
import SettleHTTP
import SettleServiceKit
import ShopContract

extension UserRoutes {
    static let operations: [APIOperation] = [
        APIOperation(.get, "/users/{userName}", .customer, "A user's balance.").answering(.ok, user),
        APIOperation(.get, "/users/{userName}/point-log", .customer, "What a user's orders have earned, newest first.")
            .taking(.limit(1...200, default: 50))
            .answering(
                .ok,
                .object([
                    "entries": .array(
                        of: .object(["orderId": .text, "userName": .text, "point": .integer, "createdAt": .time]))
                ])),
        APIOperation(.put, "/users/{userName}", .token, "Makes a user; the balance of one that there is stays.")
            .taking(.path("userName", .text(1...64)))
            .reading(
                NewUser.self,
                .request(
                    ["points": .integer(0...1_000_000_000_000)],
                    optional: ["newToken": .bool.about("Whether a token that the user has is replaced.")])
            )
            .answering(.created, user).answering(.ok, user).refusing(.locked),
    ]

    private static let user = APISchema.object(
        ["userName": .text, "points": .integer],
        optional: ["token": .text.about("Only once, where customers are told apart.")]
    ).named("User")
}

extension CustomerRoutes {
    static let operations: [APIOperation] = [
        APIOperation(.post, "/customers/verify", .token, "Whether tokens are those of their users.")
            .reading(
                CustomerCheck.self,
                .request([
                    "customers": .array(of: .request(["userName": .text, "token": .text]), 1...CustomerCheck.limit)
                ])
            )
            .answering(.ok, .object(["valid": .array(of: .bool)]))
    ]
}

extension Spend {
    static let description = ActionDescription(
        ShopActions.spend, "Takes points that an order spends; answers what is left.", reads: AddPoint.self,
        .request(["userName": .text(1...64), "orderId": .text(1...255), "point": .integer(0...Int64.max)]),
        answers: .object(["points": .integer]), refuses: ["insufficient-points", "impossible-order"])
}
