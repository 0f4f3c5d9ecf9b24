import Foundation
import SettleCore
import SettleRabbitMQ

/// How what a receiver receives looks, and how it says what became of it.
protocol ReceiverWire: Sendable {
    /// What is received, for people and metrics.
    var taskType: String { get }
    /// Throws for what is none of that type, or not signed as it should be.
    func read(_ delivery: Delivery, _ decoder: JSONDecoder) throws -> TaskMessage
    /// What tells it from others of its type.
    func name(of message: TaskMessage, _ delivery: Delivery) -> String
    /// Returns when it is known, durably, what became of each; throws when they must be told again.
    ///
    /// - Returns: the places of those that nobody ever takes, and why.
    func tell(_ answers: [ReceiverAnswer]) async throws -> [(Int, String)]
}

/// What became of one delivery.
struct ReceiverAnswer: Sendable {
    let delivery: Delivery
    let message: TaskMessage
    let answer: TaskAnswer
    /// What its sender goes on with.
    let traceParent: String?
}

extension Delivery {
    /// The trace that it belongs to.
    var traceParent: String? { TraceHeader.checked(headers[TraceHeader.name]) }
}

/// Tasks, whose answers go back through the broker.
struct TaskWire: ReceiverWire {
    let route: TaskRoute
    let publisher: any MessagePublisher
    let keys: MessageKeys

    var taskType: String { route.taskType }

    func read(_ delivery: Delivery, _ decoder: JSONDecoder) throws -> TaskMessage {
        try keys.check(delivery, as: .task, of: route.taskType)
        let message = try TaskMessage(json: delivery.body, decoder)
        guard message.taskType == route.taskType else {
            throw UnreadableMessage(description: "taskType '\(message.taskType)' is not '\(route.taskType)'")
        }
        return message
    }

    func name(of message: TaskMessage, _ delivery: Delivery) -> String { String(message.id) }

    func tell(_ answers: [ReceiverAnswer]) async throws -> [(Int, String)] {
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let trace = BatchTrace.sending(answers, by: route)
        defer { trace.end() }
        let outcomes = await publisher.publish(
            answers.enumerated().map { place, answer in
                var message = OutboundMessage(
                    exchange: route.exchange, routingKey: route.answerRoutingKey,
                    messageID: String(answer.message.id),
                    body: answer.message.answered(answer.answer, at: now).json,
                    headers: TraceHeader.headers(trace.traceParent(place) ?? answer.traceParent))
                keys.sign(&message, as: .answer, of: route.taskType)
                return message
            })
        trace.note(outcomes)
        var untold: [(Int, String)] = []
        for (index, outcome) in outcomes.enumerated() where outcome != .confirmed {
            guard outcome.isImpossible else { throw NotConfirmed() }
            untold.append((index, "\(outcome)"))
        }
        return untold
    }
}
