import HTTPTypes
import Settle
import SettleHTTP
import SettleServiceKit
import ShopContract

extension ProductRoutes {
    static let operations: [APIOperation] = [
        APIOperation(.get, "/products", .anyone, "The products, in the order of their keys.")
            .taking(
                .query("after", .text(0...255), "What `next` of the page before gave."), .limit(1...1000, default: 1000)
            )
            .answering(.ok, .object(["products": .array(of: product)], optional: ["next": .text])),
        APIOperation(.get, "/products/{sku}", .anyone, "A product.").answering(.ok, product),
        APIOperation(.put, "/products/{sku}", .token, "Makes a product, or changes it; what is reserved stays so.")
            .taking(.path("sku", .text(1...64)))
            .reading(
                NewProduct.self,
                .request(
                    [
                        "title": .text(1...200), "unitPrice": .integer(0...1_000_000_000),
                        "available": .integer(0...1_000_000_000_000),
                    ],
                    optional: [
                        "flash": .bool.about(
                            "Whether its stock is counted in Redis; left out: as it is, false for a new one.")
                    ])
            )
            .answering(.created, product).answering(.ok, product).refusing(BranchError.locked.problem, countIsAway),
        APIOperation(.post, "/quotes", .token, "The prices of those products that there are.")
            .reading(QuoteRequest.self, .request(["skus": .array(of: .text, 0...QuoteRequest.limit)]))
            .answering(.ok, quotes),
    ]

    fileprivate static let quotes = APISchema.object([
        "quotes": .array(of: .object(["sku": .text, "unitPrice": .integer], optional: ["flash": .bool]))
    ]).named("Quotes")

    private static let product = APISchema.object(
        ["sku": .text, "title": .text, "unitPrice": .integer, "available": .integer, "reserved": .integer],
        optional: ["flash": .bool]
    ).named("Product")
}

extension Deduct {
    static let description = ActionDescription(
        ShopActions.deduct, "Takes the items of an order, all or none; answers what they cost.",
        reads: StockChange.self,
        .request(
            [
                "orderId": .text(1...255),
                "items": .array(of: .request(["sku": .text, "quantity": .integer(1...1_000_000)]), 1...100)
                    .about("A sku at most once."),
            ],
            optional: [
                "xid": .text,
                "spend": .request(["userName": .text(1...64), "point": .integer(0...Int64.max), "mode": .mode])
                    .about("Points that user-points is to take once the items are taken."),
            ]),
        answers: ProductRoutes.quotes,
        refuses: [
            "unknown-sku", "insufficient-stock", "impossible-order", FlashProblem.flashItems, FlashProblem.noFlashItem,
            FlashProblem.unavailable,
        ])
}
