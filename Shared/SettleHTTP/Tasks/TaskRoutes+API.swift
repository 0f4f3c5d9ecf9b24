import HTTPTypes
import Settle
package import SettleServiceKit

extension TaskRoutes: DescribedRoutes {
    package static var operations: [APIOperation] {
        [
            APIOperation(.get, "/tasks", .token, "Live tasks, newest first, and how many there are.")
                .taking(.query("status", .choice(TaskState.allCases.map(\.rawValue))), .limit(1...200, default: 50))
                .answering(
                    .ok,
                    .object([
                        "tasks": .array(of: .task), "counts": .object(["pending": .count, "parked": .count]),
                    ])),
            APIOperation(.post, "/tasks/{id}/retry", .token, "Has a task sent again at once.")
                .taking(.path("id", .id)).answering(.accepted),
            APIOperation(.post, "/tasks/retry", .token, "Has all parked tasks sent again, or those of a type.")
                .reading(Which.self, .request([:], optional: ["taskType": .text]), isRequired: false)
                .answering(.accepted, .object(["retried": .count])),
        ]
    }
}

extension APISchema {
    /// A task, live or archived.
    package static let task = object(
        [
            "id": .id, "businessKey": .text, "taskType": .text, "status": .choice(TaskState.allCases.map(\.rawValue)),
            "attempts": .count, "createTime": .milliseconds, "updateTime": .milliseconds,
        ], optional: ["deleteTime": .milliseconds, "errormsg": .text]
    ).named("Task")
}
