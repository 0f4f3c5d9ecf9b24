import Foundation
import SettleRabbitMQ

@testable import Settle

/// A route with names of its own, so that tests which run at once never share a queue.
struct TestRoute {
    let task: TaskRoute
    let deadLetters: DeadLetterRoute

    init() {
        let name = UUID().uuidString.lowercased().prefix(8)
        task = TaskRoute(taskType: "add", exchange: "ex_\(name)", queuePrefix: "cg_\(name)_")
        deadLetters = DeadLetterRoute(exchange: "ex_dead_\(name)", queue: "cg_dead_\(name)")
    }

    var taskType: String { task.taskType }
    var exchange: String { task.exchange }
    var routingKey: String { task.routingKey }
    var topology: Topology { .tasks([task], deadLetters: deadLetters) }

    /// A delivery of a task, as the broker would hand it over.
    func delivery(
        id: Int64, key: String, amount: Int64 = 1, redelivered: Bool = false
    ) -> Delivery {
        delivery(
            body:
                #"{"id":\#(id),"taskType":"\#(taskType)","requestBody":"{\"key\":\"\#(key)\",\"amount\":\#(amount)}"}"#,
            id: id, redelivered: redelivered)
    }

    /// A delivery of anything.
    func delivery(body: String, id: Int64 = 0, redelivered: Bool = false) -> Delivery {
        Delivery(
            queue: task.queue, exchange: task.exchange, routingKey: task.routingKey, messageID: String(id),
            headers: [:], redelivered: redelivered, body: Array(body.utf8))
    }

    /// A delivery of an answer.
    func answer(_ body: String, messageID: String? = nil) -> Delivery {
        Delivery(
            queue: task.answerQueue, exchange: task.exchange, routingKey: task.answerRoutingKey, messageID: messageID,
            headers: [:], redelivered: false, body: Array(body.utf8))
    }
}
