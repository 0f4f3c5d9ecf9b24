import Logging
import SettleTestSupport
import Testing

@testable import SettleRabbitMQ

@Suite(.timeLimit(.minutes(1)))
struct PublishInboxTests {
    private let far = ContinuousClock.now + .seconds(3600)

    /// Offers messages of so many bytes as `publish` does; a refusal is their outcome.
    private func offer(_ sizes: [Int], to inbox: PublishQueue) async -> [PublishOutcome] {
        let messages = sizes.map {
            OutboundMessage(exchange: "e", routingKey: "k", messageID: "", body: Array(repeating: 0, count: $0))
        }
        return await withCheckedContinuation { continuation in
            let request = PublishRequest(
                messages: messages, outcomes: messages.map { _ in nil }, sendBy: far, continuation: continuation)
            guard let reason = inbox.offer(request) else { return }
            continuation.resume(returning: messages.map { _ in .lost(reason: reason) })
        }
    }

    private func confirm(_ request: PublishRequest, _ inbox: PublishQueue) {
        inbox.sent(request.count)
        inbox.released(request.bytes)
        request.continuation.resume(returning: request.messages.map { _ in .confirmed })
    }

    @Test func bytesAreBoundedUntilTheirOutcome() async throws {
        let inbox = PublishQueue(maxWaiting: 100, maxBytes: 10_000)
        inbox.up()
        async let first = offer([4000, 4000], to: inbox)
        while inbox.isEmpty { await Task.yield() }
        let refused = await offer([4000], to: inbox)
        #expect(refused == [.lost(reason: "too many bytes wait to be published or confirmed")])
        let request = try #require(inbox.take().first)
        inbox.sent(2)
        #expect(await offer([4000], to: inbox) == refused, "sent, but not confirmed")
        inbox.sent(-2)
        confirm(request, inbox)
        #expect(await first == [.confirmed, .confirmed])

        async let alone = offer([50_000], to: inbox)
        while inbox.isEmpty { await Task.yield() }
        #expect(await offer([1], to: inbox) == refused)
        confirm(try #require(inbox.take().first), inbox)
        #expect(await alone == [.confirmed], "bigger than the bound, and taken while there was nothing else")
    }

    @Test func theRoleIsNotFinishedWhileWhatWasAcceptedLiesInTheInbox() async throws {
        var configuration = try RabbitMQConfiguration(url: "amqp://localhost")
        configuration.connectionName = "test"
        let inbox = PublishQueue(maxWaiting: 100, maxBytes: .max)
        let role = PublisherRole(configuration, topology: Topology(), window: 10, inbox: inbox, logger: quiet)
        inbox.up()
        async let accepted = offer([1], to: inbox)
        while inbox.isEmpty { await Task.yield() }
        inbox.stop(by: far)
        #expect(!role.isFinished)
        #expect(await offer([1], to: inbox) == [.lost(reason: "shutting down")])
        confirm(try #require(inbox.take().first), inbox)
        #expect(role.isFinished)
        #expect(await accepted == [.confirmed])
    }
}
