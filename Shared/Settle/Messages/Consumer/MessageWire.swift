import SettleCore
import Foundation
import Logging
import SettleRabbitMQ

/// Messages of a message centre, which is told what became of each.
struct MessageWire: ReceiverWire {
    /// As many as one request may hold.
    static let maxAcknowledgements = 500
    /// What the reason of a rejection may have.
    private static let maxReason = 1_000

    let route: MessageRoute
    let centre: any MessageCentrePeer
    let keys: MessageKeys
    let logger: Logger

    var taskType: String { route.type }

    /// The body is the request itself; its name is the `message-id`.
    func read(_ delivery: Delivery, _ decoder: JSONDecoder) throws -> TaskMessage {
        try keys.check(delivery, as: .task, of: route.type)
        guard let id = delivery.messageID, (1...64).contains(id.utf8.count) else {
            throw UnreadableMessage(description: "a message-id of 1 to 64 bytes is expected")
        }
        return TaskMessage(
            id: 0, createTime: 0, updateTime: 0, taskType: route.type, mqExchange: delivery.exchange,
            mqRoutingkey: delivery.routingKey, requestBody: String(decoding: delivery.body, as: UTF8.self))
    }

    func name(of message: TaskMessage, _ delivery: Delivery) -> String { delivery.messageID ?? "" }

    func tell(_ answers: [ReceiverAnswer]) async throws -> [(Int, String)] {
        for start in stride(from: 0, to: answers.count, by: Self.maxAcknowledgements) {
            let batch = answers[start..<min(start + Self.maxAcknowledgements, answers.count)]
            let unknown = try await centre.acknowledge(batch.map(acknowledgement))
            // It was archived long ago, or thrown away. Nobody waits for it, and it is done all the same.
            for id in unknown {
                logger.warning("the message centre knows nothing of a message", metadata: ["messageId": "\(id)"])
            }
        }
        return []
    }

    private func acknowledgement(_ answer: ReceiverAnswer) -> MessageAcknowledgement {
        var said = answer.answer
        if case .rejected(let reason) = said { said = .rejected(reason: reason.cut(toBytes: Self.maxReason)) }
        return MessageAcknowledgement(
            id: answer.delivery.messageID ?? "", producer: answer.delivery.headers[MessageHeader.producer] ?? "",
            answer: said)
    }
}

/// The headers of the messages that a centre publishes, beside those of their producers.
package enum MessageHeader {
    /// Whose message it is.
    package static let producer = "x-settle-producer"
}
