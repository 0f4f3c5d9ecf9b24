public import Logging
import Metrics
import RabbitMQ

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

    /// - Parameter route: where they go.
    public init(route: DeadLetterRoute, publisher: any MessagePublisher, logger: Logger) {
        self.route = route
        self.publisher = publisher
        self.logger = logger
    }

    /// Whether there is a broker to send to right now; the same that takes answers.
    var canSend: Bool { publisher.takesMessages }

    /// Returns when the broker has all of them; throws otherwise, and the batch is tried again.
    func send(_ letters: [DeadLetter]) async throws {
        guard !letters.isEmpty else { return }
        let outcomes = await publisher.publish(
            letters.map { letter in
                var headers = letter.delivery.headers
                headers["x-reason"] = String(letter.reason.prefix(500))
                headers["x-queue"] = letter.delivery.queue
                return OutboundMessage(
                    exchange: route.exchange, routingKey: letter.delivery.routingKey,
                    messageID: letter.delivery.messageID ?? "", body: letter.delivery.body, headers: headers)
            })
        guard outcomes.allSatisfy({ $0 == .confirmed }) else { throw NotConfirmed() }
        counter.increment(by: letters.count)
        for letter in letters {
            logger.error(
                "message dead-lettered",
                metadata: [
                    "queue": "\(letter.delivery.queue)", "messageId": "\(letter.delivery.messageID ?? "none")",
                    "bytes": "\(letter.delivery.bodySize)", "reason": "\(letter.reason)",
                ])
        }
    }
}

/// The broker did not confirm what had to be published before a delivery may be acknowledged.
struct NotConfirmed: Error, CustomStringConvertible {
    var description: String { "the broker did not confirm" }
}
