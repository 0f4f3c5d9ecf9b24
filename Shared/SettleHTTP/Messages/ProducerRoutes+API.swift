import HTTPTypes
package import SettleServiceKit

extension ProducerRoutes: DescribedRoutes {
    package static var operations: [APIOperation] {
        [
            APIOperation(.post, "/messages/check", .token, "Whether the business of messages is done: check-back.")
                .reading(
                    CheckRequest.self,
                    .request([
                        "messages": .array(
                            of: .request(["id": .text], optional: ["paramMap": .object([:])]), 0...Self.maxMessages)
                    ])
                )
                .answering(.ok, .results(.choice(["commit", "abort", "undecided"])), "A word for each id"),
            APIOperation(.post, "/messages/outcomes", .token, "What the consumers of messages said.")
                .reading(
                    OutcomesRequest.self,
                    .request([
                        "outcomes": .array(
                            of: .request(
                                ["id": .text, "status": .choice(["finished", "rejected"])],
                                optional: ["errormsg": .text]), 0...Self.maxMessages)
                    ])
                )
                .answering(.ok, .results(.choice(["taken"])), "Those that need not come again"),
        ]
    }
}

extension APISchema {
    /// A word for each id.
    package static func results(_ word: APISchema) -> APISchema { object(["results": .map(of: word)]) }
}
