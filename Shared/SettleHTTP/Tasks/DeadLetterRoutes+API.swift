import HTTPTypes
import Settle
package import SettleServiceKit

extension DeadLetterRoutes: DescribedRoutes {
    package static var operations: [APIOperation] {
        [
            APIOperation(.get, "/dead-letters", .token, "Messages that were set aside, newest first.")
                .taking(
                    .query("status", .choice(["dead", "waiting"]), "The dead unless said."),
                    .query("before", .integer(1...Int64.max), "Only those with a smaller id."),
                    .limit(1...200, default: 50)
                )
                .answering(
                    .ok,
                    .object([
                        "deadLetters": .array(of: letter.named("DeadLetter")),
                        "counts": .object(["waiting": .count, "dead": .count]),
                    ])),
            APIOperation(.get, "/dead-letters/{id}", .token, "A message that was set aside, with what is in it.")
                .taking(.path("id", .id)).answering(.ok, content),
            APIOperation(.post, "/dead-letters/retry", .token, "Has all of them applied again, or those of a queue.")
                .reading(Which.self, .request([:], optional: ["queue": .text]), isRequired: false)
                .answering(.accepted, .object(["retried": .count])),
            APIOperation(.post, "/dead-letters/{id}/retry", .token, "Has one of them applied again.")
                .taking(.path("id", .id)).answering(.accepted),
            APIOperation(.delete, "/dead-letters/{id}", .token, "Forgets one; what it asked for is not done.")
                .taking(.path("id", .id)).answering(.noContent),
        ]
    }

    private static let letter = APISchema.object(
        [
            "id": .id, "queue": .text, "status": .choice(["dead", "waiting"]), "reason": .text, "tries": .count,
            "bytes": .count, "createdAt": .milliseconds,
        ], optional: ["messageId": .text, "resentAt": .milliseconds]
    )

    private static let content = letter.adding([
        "exchange": .text, "routingKey": .text, "headers": .map(of: .text),
    ]).mayHold(["body": .text, "bodyBase64": .text.about("In place of a body that is no UTF-8.")])
        .named("DeadLetterContent")
}
