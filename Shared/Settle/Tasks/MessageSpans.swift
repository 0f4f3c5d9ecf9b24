import SettleCore
import SettleRabbitMQ
import Tracing

// What tasks, their answers and messages look like in traces, by OpenTelemetry's conventions:
// https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/.

extension BatchTrace {
    /// Of tasks that are about to be published.
    static func sending(_ tasks: [OutgoingTask]) -> BatchTrace {
        guard Spans.tracer != nil else { return .none }
        return sending(tasks.map { ($0.message.mqExchange, $0.message.mqRoutingkey) }, tasks.map(\.traceParent)) {
            place in
            let task = tasks[place]
            return [
                "messaging.message.id": .string(task.messageID), "settle.task.type": .string(task.message.taskType),
                "settle.business_key": .string(task.businessKey), "settle.task.attempts": .int(Int64(task.attempts)),
            ]
        }
    }

    /// Of answers, and what they go on from.
    static func sending(_ answers: [ReceiverAnswer], by route: TaskRoute) -> BatchTrace {
        guard Spans.tracer != nil else { return .none }
        return sending(
            answers.map { _ in (route.exchange, route.answerRoutingKey) }, answers.map(\.traceParent)
        ) { place in
            let message = answers[place].message
            return [
                "messaging.message.id": .string(String(message.id)), "settle.task.type": .string(message.taskType),
            ]
        }
    }

    /// One span each, even if they go to several places.
    private static func sending(
        _ destinations: [(exchange: String, routingKey: String)], _ traceParents: [String?],
        attributes: (Int) -> SpanAttributes
    ) -> BatchTrace {
        guard let first = destinations.first else { return .none }
        let trace = BatchTrace(
            "send \(first.exchange):\(first.routingKey)", ofKind: .producer, traceParents: traceParents
        ) { place in
            let (exchange, routingKey) = destinations[place]
            return attributes(place).merged(
                messaging(
                    "send", destination: "\(exchange):\(routingKey)", routingKey: routingKey, of: destinations.count))
        }
        for (place, (exchange, routingKey)) in destinations.enumerated() {
            trace[place]?.operationName = "send \(exchange):\(routingKey)"
        }
        return trace
    }

    /// Of deliveries of a queue that are about to be handled.
    ///
    /// - Parameters:
    ///   - taskType: of the tasks that they bring, or answer.
    ///   - attribute: what else is known of the one at a place.
    static func processing(
        _ queue: String, _ deliveries: @autoclosure () -> [Delivery], taskType: String,
        attribute: (Int) -> (name: String, value: String)
    ) -> BatchTrace {
        guard Spans.tracer != nil else { return .none }
        let deliveries = deliveries()
        return BatchTrace("process \(queue)", ofKind: .consumer, traceParents: deliveries.map(\.traceParent)) { place in
            let delivery = deliveries[place]
            var known = messaging(
                "process", destination: "\(delivery.exchange):\(delivery.routingKey):\(queue)",
                routingKey: delivery.routingKey, of: deliveries.count)
            let (name, value) = attribute(place)
            known[name] = value
            known["settle.task.type"] = taskType
            known["messaging.message.id"] = delivery.messageID
            known["messaging.message.body.size"] = Int(clamping: delivery.bodySize)
            return known
        }
    }

    private static func messaging(
        _ operation: String, destination: String, routingKey: String, of count: Int
    ) -> SpanAttributes {
        var attributes: SpanAttributes = [
            "messaging.system": "rabbitmq", "messaging.operation.name": .string(operation),
            "messaging.operation.type": .string(operation), "messaging.destination.name": .string(destination),
            "messaging.rabbitmq.destination.routing_key": .string(routingKey),
        ]
        if count > 1 { attributes["messaging.batch.message_count"] = count }
        return attributes
    }

    /// What the broker said of each.
    func note(_ outcomes: [PublishOutcome]) {
        for (place, outcome) in outcomes.enumerated() where outcome != .confirmed { self[place]?.failed(outcome.kind) }
    }
}

extension PublishOutcome {
    fileprivate var kind: String {
        switch self {
        case .confirmed: "confirmed"
        case .returned: "returned"
        case .nacked: "nacked"
        case .lost: "lost"
        case .notSent: "not-sent"
        }
    }
}

extension SpanAttributes {
    fileprivate func merged(_ others: SpanAttributes) -> SpanAttributes {
        var all = self
        all.merge(others)
        return all
    }
}
