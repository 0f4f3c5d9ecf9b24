import SettleCore
import SettleTestSupport
import Synchronization
import Testing

@testable import SettleRabbitMQ

@Suite(.enabled(if: TestServer.isThere))
struct ShutdownTests {
    /// Counts how often the connection's loop comes round.
    private final class Counting<Role: ConnectionRole>: ConnectionRole {
        private let role: Role
        private let rounds: Counter

        init(_ role: Role, _ rounds: Counter) {
            (self.role, self.rounds) = (role, rounds)
        }

        var isStopping: Bool { role.isStopping }
        var isFinished: Bool { role.isFinished }
        func opened(_ connection: AMQPConnection) throws(AMQPError) { try role.opened(connection) }
        func received(_ frame: InboundFrame, on connection: AMQPConnection) throws(AMQPError) {
            try role.received(frame, on: connection)
        }
        func work(on connection: AMQPConnection) throws(AMQPError) -> NextWork {
            rounds.count()
            return try role.work(on: connection)
        }
        func workOffline() { role.workOffline() }
        func closed(_ error: AMQPError) { role.closed(error) }
    }

    private final class Counter: Sendable {
        private let value = Mutex(0)

        func count() { value.withLock { $0 += 1 } }
        func reset() { value.withLock { $0 = 0 } }
        var current: Int { value.withLock { $0 } }
    }

    @Test func itWaitsForAHandlerWithoutSpinningWhileAnotherSubscriptionIsDown() async throws {
        let (names, missing) = (Names(), Names())
        var configuration = try TestServer.configuration()
        // Due again as soon as it is refused.
        configuration.backoff = Backoff(initial: .milliseconds(1), cap: .milliseconds(1))
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        let subscriptions = [
            Subscription(queue: names.queue) { _ in
                begin.finish()
                for await _ in released {}
            }, Subscription(queue: missing.queue) { _ in },
        ]
        let publisher = RabbitMQPublisher(configuration, topology: names.topology(), logger: quiet)
        try await serving([publisher]) {
            try await eventually("up") { publisher.isUp }
            #expect(await publisher.publish([names.message(1)]) == [.confirmed])
        }
        let (inbox, rounds, wake) = (DeliveryQueue(), Counter(), try WakePipe())
        #expect(inbox.attach(wake))
        let (ended, end) = AsyncStream.makeStream(of: Void.self)
        DedicatedThread.start(name: "amqp-consume") { [configuration] in
            let role = ConsumerRole(
                configuration, topology: names.topology(), subscriptions: subscriptions, inbox: inbox, logger: quiet)
            ConnectionLoop(configuration: configuration, breaker: SocketBreaker(), wake: wake, logger: quiet).run(
                Counting(role, rounds))
            end.finish()
        }
        for await _ in begun {}
        inbox.stop(by: .now + .seconds(30))
        rounds.reset()
        // Time passing is what is looked at.
        try await Task.sleep(for: .milliseconds(500))
        #expect(rounds.current < 20)
        release.finish()
        for await _ in ended {}
    }
}
