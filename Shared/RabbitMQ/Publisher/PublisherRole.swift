import DequeModule
import Logging

/// Publishing on one connection: what came in goes out, at most a window of it unconfirmed.
final class PublisherRole: ConnectionRole {
    private typealias Token = (batch: PublishBatch, index: Int)

    private static let declaring: UInt16 = 1
    private static let publishing: UInt16 = 2
    /// Messages sent before confirms are looked at again.
    private static let messagesPerRound = 256
    /// Bytes that a socket which takes data surely takes without blocking.
    private static let bytesPerCheck = 4096

    private let configuration: RabbitMQConfiguration
    private let topology: Topology
    private let window: Int
    private let inbox: PublishQueue
    private let logger: Logger

    private var tracker = ConfirmTracker<Token>()
    /// Fetched from the inbox and not sent in full; the first is in progress.
    private var queue = Deque<PublishBatch>()
    private var isBlocked = false
    private var quarantine = Quarantine()
    /// On its way with nothing beside it, since it may close the channel.
    private var alone: OutboundMessage?
    private let metrics: PublisherMetrics
    private var returnInProgress: InboundFrame.Return?
    private var stall = WriteStall()

    init(
        _ configuration: RabbitMQConfiguration, topology: Topology, window: Int, inbox: PublishQueue, logger: Logger
    ) {
        self.configuration = configuration
        self.topology = topology
        self.window = window
        self.inbox = inbox
        self.logger = logger
        metrics = PublisherMetrics(name: configuration.connectionName)
    }

    var isStopping: Bool { inbox.stopBy != nil }

    var isFinished: Bool {
        guard let stopBy = inbox.stopBy else { return false }
        // What was accepted just before the stop may still lie in the inbox.
        return (inbox.isEmpty && queue.isEmpty && tracker.count == 0) || stopBy <= .now
    }

    func opened(_ connection: AMQPConnection) throws(AMQPError) {
        try connection.declare(topology, on: Self.declaring)
        try openChannel(connection)
        inbox.up()
    }

    func received(_ frame: InboundFrame, on connection: AMQPConnection) throws(AMQPError) {
        switch frame.content {
        case .ack(let tag, let multiple): answered(tracker.acked(tag, multiple: multiple))
        case .nack(let tag, let multiple): answered(tracker.nacked(tag, multiple: multiple))
        case .returned(let returned): returnInProgress = returned
        case .header(_, let messageID, _):
            guard let returned = returnInProgress.take() else { throw .unexpected("a header without its method") }
            tracker.returned(code: returned.code, text: returned.text) { token in
                let message = token.batch.messages[token.index]
                return message.messageID == messageID && message.routingKey == returned.routingKey
                    && message.exchange == returned.exchange
            }
        case .channelClosed(let code, let text): try channelClosed(code, text, connection)
        case .blocked(let reason):
            logger.warning("RabbitMQ blocks publishing", metadata: ["reason": "\(reason)"])
            isBlocked = true
            inbox.blocked(reason: reason)
        case .unblocked:
            logger.info("RabbitMQ takes messages again")
            isBlocked = false
            inbox.up()
        case .body, .deliver, .consumerCancelled, .consumerCancelOK, .connectionClosed, .other: break
        }
    }

    func work(on connection: AMQPConnection) throws(AMQPError) -> NextWork {
        for request in inbox.take() { queue.append(PublishBatch(request)) }
        if isBlocked { loseUnsent("blocked by the broker") }
        loseLate()
        var next = try send(on: connection)
        expire()
        let expiry = tracker.oldest.map { $0 + configuration.confirmTimeout }
        let wakeUps = [expiry, queue.first?.sendBy, inbox.stopBy, next.at]
        next.at = wakeUps.compactMap(\.self).min()
        return next
    }

    func workOffline() {}

    func closed(_ error: AMQPError) {
        for request in inbox.down(reason: error.reason) { queue.append(PublishBatch(request)) }
        settle(tracker.lost(reason: error.reason))
        loseUnsent(error.reason)
        isBlocked = false
        returnInProgress = nil
        alone = nil
        stall.end()
    }

    private func openChannel(_ connection: AMQPConnection) throws(AMQPError) {
        try connection.openChannel(Self.publishing)
        try connection.confirmSelect(Self.publishing)
    }

    /// An exchange that is missing or forbidden, mostly. Everything on its way is lost with the channel; the connection
    /// is not.
    private func channelClosed(_ code: Int, _ text: String, _ connection: AMQPConnection) throws(AMQPError) {
        let error = AMQPError.channelClosed(code: code, text: text)
        logger.error("RabbitMQ closed the publishing channel", metadata: ["reason": "\(error.reason)"])
        try connection.agreeToClose(Self.publishing)
        let lost = tracker.lost(reason: error.reason)
        let messages = lost.map { $0.token.batch.messages[$0.token.index] }
        if messages.count == 1 {
            settle([(lost[0].token, quarantine.convict(messages[0], code: code, text: text, at: .now))])
        } else {
            quarantine.suspect(messages, code: code)
            settle(lost)
        }
        alone = nil
        returnInProgress = nil
        try connection.declare(topology, on: Self.declaring)
        try openChannel(connection)
    }

    /// The broker's answers.
    private func answered(_ settled: [ConfirmTracker<Token>.Settled]) {
        if let message = alone, !settled.isEmpty {
            quarantine.acquit(message)
            alone = nil
        }
        settle(settled)
    }

    private func settle(_ settled: [ConfirmTracker<Token>.Settled]) {
        for (token, outcome) in settled { settle(token.batch, token.index, outcome) }
    }

    private func settle(_ batch: PublishBatch, _ index: Int, _ outcome: PublishOutcome) {
        metrics.settled(outcome)
        guard batch.settle(index, outcome) else { return }
        // Before its caller goes on, who may have more.
        inbox.released(batch.bytes)
        batch.resume()
    }

    private func loseUnsent(_ reason: String) {
        while let batch = queue.first { loseUnsent(batch, reason) }
    }

    private func expire() {
        let limit = ContinuousClock.now - configuration.confirmTimeout
        guard let oldest = tracker.oldest, oldest <= limit else { return }
        settle(tracker.expired(sentBy: limit, reason: "no confirm within \(configuration.confirmTimeout)"))
        // Neither convicted nor acquitted.
        if tracker.count == 0 { alone = nil }
    }

    /// What could not even be sent in the time that a confirm may take.
    private func loseLate() {
        while let batch = queue.first, batch.sendBy <= .now {
            loseUnsent(batch, "not sent within \(configuration.confirmTimeout)")
        }
    }

    /// - Parameter batch: the first of the queue.
    private func loseUnsent(_ batch: PublishBatch, _ reason: String) {
        while let index = batch.takeNext() {
            inbox.sent(1)
            settle(batch, index, .notSent(reason: reason))
        }
        queue.removeFirst()
    }

    /// Sends while the window has room and the socket takes data, up to a round's worth.
    private func send(on connection: AMQPConnection) throws(AMQPError) -> NextWork {
        var sent = 0
        var unchecked = Int.max
        while let batch = queue.first, tracker.count < window, alone == nil {
            guard let index = batch.next else {
                queue.removeFirst()
                continue
            }
            guard sent < Self.messagesPerRound else { return NextWork(now: true) }
            if unchecked > Self.bytesPerCheck {
                guard try isWritable(connection) else { return NextWork(at: stall.deadline, whenWritable: true) }
                unchecked = 0
            }
            let message = batch.messages[index]
            let verdict = quarantine.verdict(for: message, at: .now)
            // Its turn comes with the last confirm.
            if verdict == .sendAlone, tracker.count > 0 { break }
            _ = batch.takeNext()
            inbox.sent(1)
            if case .refuse(let outcome) = verdict {
                settle(batch, index, outcome)
                continue
            }
            if verdict == .sendAlone { alone = message }
            // Noted first: a message that fails half-way may have arrived.
            tracker.sent((batch, index), at: .now)
            try connection.publish(Self.publishing, message)
            unchecked += message.body.count + message.exchange.utf8.count + message.routingKey.utf8.count + 512
            sent += 1
        }
        if queue.isEmpty { stall.end() }
        return NextWork()
    }

    private func isWritable(_ connection: AMQPConnection) throws(AMQPError) -> Bool {
        guard !connection.isWritable else {
            stall.end()
            return true
        }
        if stall.refused(at: .now, patience: connection.patience) { throw .stalled }
        return false
    }
}
