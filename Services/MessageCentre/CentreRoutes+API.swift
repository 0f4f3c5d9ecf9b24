import HTTPTypes
import Settle
import SettleHTTP
import SettleServiceKit

extension CentreRoutes {
    static let operations: [APIOperation] = [
        APIOperation(.post, "/prepare", .token, "Keeps messages until they are confirmed.")
            .reading(
                PrepareRequest.self,
                .request([
                    "messages": .array(
                        of: .request(
                            [
                                "id": .text(1...64),
                                "msg": .text(0...MessageDraft.maxBodyBytes).about("Counted in bytes."),
                                "exchange": .text(0...maxName), "routingKey": .text(0...maxName),
                                "artist": .text.about("Who is asked about it: a name that ARTISTS lists."),
                            ],
                            optional: [
                                "paramMap": .object([:]).about("Given back when its producer is asked."),
                                "headers": .map(of: .text(0...1_000)), "wantsOutcome": .bool,
                            ]), maxMessages)
                ])
            )
            .answering(.ok, .results(.choice(["prepared", "known", "differs"])), "A word for each id"),
        APIOperation(.post, "/confirm", .token, "Sends messages until they are acknowledged.")
            .reading(ConfirmRequest.self, .request(["ids": ids], optional: ["caller": .text]))
            .answering(.ok, .results(.choice(["confirmed", "unknown", "discarded"])), "A word for each id"),
        APIOperation(.post, "/ack", .token, "Archives messages that were consumed.")
            .reading(
                AcknowledgeRequest.self,
                .request([
                    "acks": .array(
                        of: .request(
                            ["id": .text(1...64)],
                            optional: [
                                "artist": .text, "status": .choice(["finished", "rejected"]),
                                "errormsg": .text(0...1000),
                            ]), maxMessages)
                ])
            )
            .answering(.ok, .results(.choice(["acknowledged", "unknown"])), "A word for each id"),
    ]

    fileprivate static let ids = APISchema.array(of: .text(1...64), maxMessages)
}

extension OperatorRoutes {
    static let operations: [APIOperation] = [
        APIOperation(.get, "/messages", .token, "Messages, newest first, and how many there are of each status.")
            .taking(
                .query("status", .choice(statuses)),
                .query("before", .text(1...255), "What `next` of the page before gave, or a message's id."),
                .limit(1...200, default: 50)
            )
            .answering(
                .ok,
                .object(["messages": .array(of: message), "counts": .map(of: .count)], optional: ["next": .id])),
        APIOperation(.get, "/messages/{id}", .token, "A message.").answering(.ok, message),
        APIOperation(.post, "/send", .token, "Has messages asked about or sent again at once.")
            .reading(IDs.self, wanted).answering(.accepted),
        APIOperation(.post, "/discard", .token, "Throws messages away; what they asked for is not done.")
            .reading(IDs.self, wanted)
            .answering(.ok, .results(.choice(["discarded", "unknown"])), "A word for each id"),
    ]

    private static let wanted = APISchema.request(
        ["ids": CentreRoutes.ids], optional: ["reason": .text(0...1000).about("Kept with what is discarded.")])
    private static let statuses = MessageStatus.allCases.map(\.rawValue)
    private static let message = APISchema.object(
        [
            "id": .text, "status": .choice(statuses), "artist": .text, "exchange": .text, "routingKey": .text,
            "checks": .count, "sends": .count, "createdAt": .time, "number": .id,
        ], optional: ["errormsg": .text]
    ).named("Message")
}
