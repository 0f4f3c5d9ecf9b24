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
    private let inbox: PublishInbox
    private let logger: Logger

    private var tracker = ConfirmTracker<Token>()
    /// Fetched from the inbox and not sent in full; the first is in progress.
    private var queue = FIFO<PublishBatch>()
    private var isBlocked = false
    private var missing = MissingExchanges()
    private let metrics = PublisherMetrics()
    private var returnInProgress: InboundFrame.Return?
    /// While the socket takes no data: until when it may.
    private var writableBy: ContinuousClock.Instant?

    init(
        _ configuration: RabbitMQConfiguration, topology: Topology, window: Int, inbox: PublishInbox, logger: Logger
    ) {
        self.configuration = configuration
        self.topology = topology
        self.window = window
        self.inbox = inbox
        self.logger = logger
    }

    var isStopping: Bool { inbox.stopBy != nil }

    var isFinished: Bool {
        guard let stopBy = inbox.stopBy else { return false }
        return (queue.isEmpty && tracker.count == 0) || stopBy <= .now
    }

    func opened(_ connection: AMQPConnection) throws(AMQPError) {
        try connection.declare(topology, on: Self.declaring)
        try openChannel(connection)
        inbox.up()
    }

    func received(_ frame: InboundFrame, on connection: AMQPConnection) throws(AMQPError) {
        switch frame.content {
        case .ack(let tag, let multiple): settle(tracker.acked(tag, multiple: multiple))
        case .nack(let tag, let multiple): settle(tracker.nacked(tag, multiple: multiple))
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
        writableBy = nil
    }

    private func openChannel(_ connection: AMQPConnection) throws(AMQPError) {
        try connection.openChannel(Self.publishing)
        try connection.confirmSelect(Self.publishing)
    }

    /// An exchange that is missing, mostly. Everything on its way is lost with the channel; the connection is not.
    private func channelClosed(_ code: Int, _ text: String, _ connection: AMQPConnection) throws(AMQPError) {
        let error = AMQPError.channelClosed(code: code, text: text)
        logger.error("RabbitMQ closed the publishing channel", metadata: ["reason": "\(error.reason)"])
        try connection.agreeToClose(Self.publishing)
        let lost = tracker.lost(reason: error.reason)
        settle(lost)
        returnInProgress = nil
        try connection.declare(topology, on: Self.declaring)
        try look(for: Set(lost.map { $0.token.batch.messages[$0.token.index].exchange }), on: connection)
        try openChannel(connection)
    }

    /// Remembers which of the exchanges are missing; the ones of the topology and the default one are not.
    private func look(for exchanges: Set<String>, on connection: AMQPConnection) throws(AMQPError) {
        let strangers = exchanges.subtracting(topology.exchanges.map(\.name)).subtracting([""])
        for exchange in strangers where try !connection.exchangeExists(exchange, on: Self.declaring) {
            missing.add(exchange, at: .now)
        }
    }

    private func settle(_ settled: [ConfirmTracker<Token>.Settled]) {
        for (token, outcome) in settled { settle(token.batch, token.index, outcome) }
    }

    private func settle(_ batch: PublishBatch, _ index: Int, _ outcome: PublishOutcome) {
        metrics.settled(outcome)
        batch.settle(index, outcome)
    }

    private func loseUnsent(_ reason: String) {
        while let batch = queue.first { loseUnsent(batch, reason) }
    }

    private func expire() {
        let limit = ContinuousClock.now - configuration.confirmTimeout
        guard let oldest = tracker.oldest, oldest <= limit else { return }
        settle(tracker.expired(sentBy: limit, reason: "no confirm within \(configuration.confirmTimeout)"))
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
        while let batch = queue.first, tracker.count < window {
            guard sent < Self.messagesPerRound else { return NextWork(now: true) }
            if unchecked > Self.bytesPerCheck {
                guard try isWritable(connection) else { return NextWork(at: writableBy, whenWritable: true) }
                unchecked = 0
            }
            guard let index = batch.takeNext() else {
                queue.removeFirst()
                continue
            }
            let message = batch.messages[index]
            inbox.sent(1)
            if let outcome = missing.outcome(for: message.exchange, at: .now) {
                settle(batch, index, outcome)
                continue
            }
            // Noted first: a message that fails half-way may have arrived.
            tracker.sent((batch, index), at: .now)
            try connection.publish(Self.publishing, message)
            unchecked += message.body.count + message.exchange.utf8.count + message.routingKey.utf8.count + 512
            sent += 1
        }
        return NextWork()
    }

    private func isWritable(_ connection: AMQPConnection) throws(AMQPError) -> Bool {
        guard !connection.isWritable else {
            writableBy = nil
            return true
        }
        let now = ContinuousClock.now
        if let writableBy, writableBy <= now { throw .stalled }
        writableBy = writableBy ?? now + connection.patience
        return false
    }
}
