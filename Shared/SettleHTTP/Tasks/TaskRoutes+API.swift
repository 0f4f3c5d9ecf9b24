import HTTPTypes
import Settle
package import SettleServiceKit

extension TaskRoutes: DescribedRoutes {
    package static var operations: [APIOperation] {
        [
            APIOperation(.get, "/tasks", .token, "Live tasks, newest first, and how many there are.")
                .taking(
                    .query("status", .choice(TaskState.allCases.map(\.rawValue))), .query("taskType", .text(0...255)),
                    .limit(1...200, default: 50)
                )
                .answering(
                    .ok,
                    .object([
                        "tasks": .array(of: .task), "counts": counts, "paused": paused,
                    ])),
            APIOperation(.post, "/tasks/{id}/retry", .token, "Has a task sent again at once.")
                .taking(.path("id", .id)).answering(.accepted),
            APIOperation(.post, "/tasks/retry", .token, "Has all parked tasks sent again, or those of a type.")
                .reading(Which.self, .request([:], optional: ["taskType": .text]), isRequired: false)
                .answering(.accepted, .object(["retried": .count])),
        ] + givingUp + pausing
    }

    private static var givingUp: [APIOperation] {
        [
            APIOperation(.post, "/tasks/{id}/discard", .token, "Gives a task up, as if it had been rejected.")
                .taking(.path("id", .id)).reading(Why.self, .request(["reason": reason]))
                .answering(.ok, discarded).refusing(.conflict(nobodyFollows, "")),
            APIOperation(.post, "/tasks/discard", .token, "Gives tasks of a status up, or those of a type.")
                .reading(
                    GivenUp.self, .request(["status": .choice(live), "reason": reason], optional: ["taskType": .text])
                )
                .answering(.ok, discarded).refusing(.conflict(nobodyFollows, "")),
        ]
    }

    private static var pausing: [APIOperation] {
        let which = APISchema.request(["taskType": .text], optional: ["reason": reason])
        return [
            APIOperation(.post, "/tasks/pause", .token, "Has no task of a type sent until it is resumed.")
                .reading(Pause.self, which).answering(.ok, .object(["paused": paused])).refusing(.notFound("")),
            APIOperation(.post, "/tasks/resume", .token, "Has tasks of a type sent again.")
                .reading(Pause.self, which).answering(.ok, .object(["paused": paused])).refusing(.notFound("")),
        ]
    }

    private static let reason = APISchema.text(1...255)
    private static let counts = APISchema.object([
        "pending": .count, "delayed": .count, "parked": .count, "waiting": .count, "heldLines": .count,
        "paused": .count,
    ])
    private static let paused = APISchema.array(
        of: .object(["taskType": .text, "since": .milliseconds], optional: ["reason": .text]))
    private static let discarded = APISchema.object(["discarded": .count, "hasMore": .bool])
}

extension APISchema {
    /// A task, live or archived.
    package static let task = object(
        [
            "id": .id, "businessKey": .text, "taskType": .text, "status": .choice(TaskState.allCases.map(\.rawValue)),
            "attempts": .count, "createTime": .milliseconds, "updateTime": .milliseconds,
        ],
        optional: [
            "deleteTime": .milliseconds, "errormsg": .text, "dueTime": .milliseconds, "orderKey": .text,
            "expiresAt": .milliseconds, "uniqueKey": .text,
        ]
    ).named("Task")
}
