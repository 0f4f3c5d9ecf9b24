import Foundation
import SettleCore
import SettleRabbitMQ
import SettleTestSupport

/// How many messages a second RabbitMQ alone takes and gives: librabbitmq in a loop, with nothing around it. Persistent
/// and confirmed, a window of them on its way; then acknowledged, many at a time.
struct BrokerFloor: Sendable, Codable {
    let confirmsPerSecond: Double
    let deliveriesPerSecond: Double

    private static let queue = "settle_bench"
    private static let channel: UInt16 = 1
    private static let window = 1_000
    /// About what a task is.
    private static let body = [UInt8](repeating: UInt8(ascii: "x"), count: 400)

    /// - Parameter url: of an account that may declare a queue.
    static func measure(_ url: String, for duration: Duration) async throws -> BrokerFloor {
        let configuration = try RabbitMQConfiguration(url: url)
        return try await withCheckedContinuation { done in
            DedicatedThread.start(name: "broker-floor") {
                done.resume(
                    returning: Result {
                        let (sent, publishing) = try publish(configuration, for: duration)
                        let consuming = try consume(configuration, sent)
                        return BrokerFloor(
                            confirmsPerSecond: Double(sent) / (publishing / .seconds(1)),
                            deliveriesPerSecond: Double(sent) / (consuming / .seconds(1)))
                    })
            }
        }.get()
    }

    private static func connect(_ configuration: RabbitMQConfiguration) throws -> AMQPConnection {
        let connection = try AMQPConnection(configuration, breaker: SocketBreaker())
        try connection.declare(Topology(queues: [.init(name: queue)]), on: channel)
        try connection.openChannel(channel)
        return connection
    }

    /// How many messages were confirmed, and in which time.
    private static func publish(
        _ configuration: RabbitMQConfiguration, for duration: Duration
    ) throws -> (sent: Int, time: Duration) {
        let connection = try connect(configuration)
        try connection.confirmSelect(channel)
        let message = OutboundMessage(exchange: "", routingKey: queue, messageID: "1", body: body)
        let begin = ContinuousClock.now
        var (sent, confirmed) = (0, 0)
        while true {
            let isOver = .now - begin >= duration
            while !isOver, sent - confirmed < window {
                try connection.publish(channel, message)
                sent += 1
            }
            if isOver, sent == confirmed { break }
            try eachFrame(connection) { content in
                guard case .ack(let tag, let multiple) = content else { return }
                confirmed = multiple ? max(confirmed, Int(tag)) : confirmed + 1
            }
        }
        let time = .now - begin
        connection.close(timeout: .seconds(2))
        return (sent, time)
    }

    /// How long it takes to get and acknowledge `count` messages.
    private static func consume(_ configuration: RabbitMQConfiguration, _ count: Int) throws -> Duration {
        let connection = try connect(configuration)
        try connection.limitUnacknowledged(channel, to: UInt16(window))
        let begin = ContinuousClock.now
        try connection.consume(channel, queue: queue, tag: "bench")
        var (received, acknowledged) = (0, 0)
        while acknowledged < count {
            try eachFrame(connection) { content in if case .deliver = content { received += 1 } }
            if received - acknowledged >= window / 4 || received == count {
                try connection.ack(channel, upTo: UInt64(received))
                acknowledged = received
            }
        }
        let time = .now - begin
        connection.close(timeout: .seconds(2))
        return time
    }

    /// Waits for frames and takes all that are there.
    private static func eachFrame(
        _ connection: AMQPConnection, _ take: (InboundFrame.Content) -> Void
    ) throws {
        var polled = [pollfd(fd: connection.descriptor, events: Int16(POLLIN), revents: 0)]
        if !connection.hasBufferedInput { Socket.wait(&polled, timeout: .seconds(30)) }
        var isSilent = true
        while let frame = try connection.nextFrame() {
            isSilent = false
            take(frame.content)
        }
        if isSilent, polled[0].revents == 0, !connection.hasBufferedInput { throw NotInTime("RabbitMQ says nothing") }
    }
}
