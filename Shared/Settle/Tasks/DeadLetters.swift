import SettleCore
public import Logging
import Metrics
import SettleRabbitMQ

/// A delivery that nobody can make sense of, and why.
public struct DeadLetter: Sendable {
    let delivery: Delivery
    let reason: String

    init(_ delivery: Delivery, reason: String) {
        self.delivery = delivery
        self.reason = reason
    }
}

/// Puts aside what cannot be read, whole, for a person to look at.
///
/// The copies are published and confirmed by us rather than by the queue's `x-dead-letter-exchange`: so the queues stay
/// free of arguments that a peer would have to repeat, a reason goes along, and nothing is lost on the way.
public final class DeadLetters: Sendable {
    private let route: DeadLetterRoute
    private let publisher: any MessagePublisher
    private let logger: Logger
    private let counter = Counter(label: "settle_dead_letters_total")
    private let unsent = Counter(label: "settle_dead_letters_unsent_total")

    /// - Parameters:
    ///   - route: where they go.
    ///   - publisher: brings them to the broker.
    ///   - logger: gets a line for all that an operator should know.
    public init(route: DeadLetterRoute, publisher: any MessagePublisher, logger: Logger) {
        self.route = route
        self.publisher = publisher
        self.logger = logger
    }

    /// Whether there is a broker to send to right now; the same that takes answers.
    var canSend: Bool { publisher.takesMessages }

    /// Returns when the broker has all of them, or never will; throws otherwise, and the batch is tried again.
    ///
    /// - Parameter areKept: whether they are in the database as well. Then what the broker refuses is not tried again:
    ///   a full queue of dead letters must not stop the living.
    func send(_ letters: [DeadLetter], areKept: Bool) async throws {
        guard !letters.isEmpty else { return }
        let outcomes = await publisher.publish(letters.map { $0.message(for: route) })
        for (letter, outcome) in zip(letters, outcomes) where outcome != .confirmed {
            guard outcome.isAnswer, areKept || outcome.isImpossible else { throw NotConfirmed() }
            unsent.increment()
            logger.error(
                "the broker does not take a dead letter",
                metadata: letter.metadata.merging(["outcome": "\(outcome)", "isInDatabase": "\(areKept)"]) { $1 })
        }
        counter.increment(by: letters.count)
        for letter in letters { logger.error("message dead-lettered", metadata: letter.metadata) }
    }
}

extension DeadLetter {
    private static let maxReason = 1_000
    private static let maxNames = 200

    /// As it can always be published: what does not fit is left out, and said to be.
    func message(for route: DeadLetterRoute) -> OutboundMessage {
        let limit = OutboundMessage.maxNameBytes
        var headers = [
            "x-reason": reason.cut(toBytes: Self.maxReason), "x-queue": delivery.queue.cut(toBytes: limit),
        ]
        var room = OutboundMessage.maxHeadersBytes - Self.maxNames - 64
        for (name, value) in headers { room -= OutboundMessage.headerBytes(name, value) }
        var leftOut: [String] = []
        // The short ones first, so that one long header does not push out all others.
        let copied = delivery.headers.sorted { ($0.value.utf8.count, $0.key) < ($1.value.utf8.count, $1.key) }
        for (name, value) in copied where headers[name] == nil {
            let size = OutboundMessage.headerBytes(name, value)
            if (1...OutboundMessage.maxHeaderNameBytes).contains(name.utf8.count), size <= room {
                headers[name] = value
                room -= size
            } else {
                leftOut.append("'\(name)'")
            }
        }
        if !leftOut.isEmpty {
            headers["x-left-out"] = "\(leftOut.count): \(leftOut.joined(separator: " "))".cut(toBytes: Self.maxNames)
        }
        return OutboundMessage(
            exchange: route.exchange, routingKey: delivery.routingKey.cut(toBytes: limit),
            messageID: (delivery.messageID ?? "").cut(toBytes: limit), body: delivery.body, headers: headers)
    }

    fileprivate var metadata: Logger.Metadata {
        [
            "queue": "\(delivery.queue)", "messageId": "\(delivery.messageID ?? "none")",
            "bytes": "\(delivery.bodySize)", "reason": "\(reason.cut(toBytes: Self.maxReason))",
        ]
    }
}

extension PublishOutcome {
    /// Whether the broker, or its client, has said something about this very message; else it is about the way there.
    fileprivate var isAnswer: Bool {
        switch self {
        case .confirmed, .returned, .nacked: true
        case .lost, .notSent: false
        }
    }
}

/// The broker did not confirm what had to be published before a delivery may be acknowledged.
struct NotConfirmed: Error, CustomStringConvertible {
    var description: String { "the broker did not confirm" }
}
