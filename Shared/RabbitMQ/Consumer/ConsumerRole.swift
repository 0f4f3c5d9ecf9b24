import Logging

/// Consuming on one connection: a channel for each subscription, batches to its handler, acknowledgements back.
final class ConsumerRole: ConnectionRole {
    private static let declaring: UInt16 = 1

    private let topology: Topology
    private let inbox: DeliveryQueue
    private let logger: Logger
    private var consumptions: [Consumption]
    private var isConnected = false
    private var isCancelled = false

    init(
        _ configuration: RabbitMQConfiguration, topology: Topology, subscriptions: [Subscription],
        inbox: DeliveryQueue, logger: Logger
    ) {
        self.topology = topology
        self.inbox = inbox
        self.logger = logger
        consumptions = subscriptions.enumerated().map { Consumption($1, index: $0, configuration) }
    }

    var isStopping: Bool { inbox.stopBy != nil }

    var isFinished: Bool {
        guard let stopBy = inbox.stopBy else { return false }
        return !consumptions.contains { $0.batcher.isRunning } || stopBy <= .now
    }

    func opened(_ connection: AMQPConnection) throws(AMQPError) {
        (isConnected, isCancelled) = (true, false)
        try connection.declare(topology, on: Self.declaring)
        for index in consumptions.indices { try subscribe(index, on: connection) }
        showState()
    }

    func received(_ frame: InboundFrame, on connection: AMQPConnection) throws(AMQPError) {
        let index = Int(frame.channel) - 2
        guard consumptions.indices.contains(index), consumptions[index].isChannelOpen else { return }
        switch frame.content {
        case .deliver(let tag, let redelivered, let exchange, let routingKey):
            try consumptions[index].assembler.deliver(
                tag: tag, redelivered: redelivered, exchange: exchange, routingKey: routingKey)
        case .header(let size, let messageID, let headers):
            let room = consumptions[index].batcher.room
            let message = try consumptions[index].assembler.header(
                size: size, messageID: messageID, headers: headers, room: room)
            take(message, index)
        case .body(let bytes): take(try consumptions[index].assembler.body(bytes), index)
        case .consumerCancelled:
            logger.warning(
                "RabbitMQ ended a subscription; subscribing again",
                metadata: ["queue": "\(consumptions[index].subscription.queue)"])
            // With the channel goes what is in hand: its queue was deleted, or has it again.
            try connection.closeChannel(frame.channel)
            consumptions[index].channelClosed(at: .now)
            showState()
        case .channelClosed(let code, let text):
            try connection.agreeToClose(frame.channel)
            refused(index, .channelClosed(code: code, text: text))
        case .ack, .nack, .returned, .consumerCancelOK, .connectionClosed, .blocked, .unblocked, .other: break
        }
    }

    func work(on connection: AMQPConnection) throws(AMQPError) -> NextWork {
        for result in inbox.take() {
            guard let tag = settle(result) else { continue }
            try connection.ack(consumptions[result.index].channel, upTo: tag)
            consumptions[result.index].acknowledged()
        }
        let stopBy = inbox.stopBy
        if stopBy == nil { try resubscribe(on: connection) } else { try cancel(on: connection) }
        for index in consumptions.indices {
            runHandler(index)
            if consumptions[index].isChannelOpen, let tag = consumptions[index].batcher.giveBack() {
                try connection.giveBack(consumptions[index].channel, upTo: tag)
            }
        }
        // Nobody subscribes during a shutdown: a time for it that is past would have this called without a pause.
        let times = consumptions.flatMap { [$0.batcher.dueAt, stopBy == nil ? $0.subscribeAt : nil] }
        return NextWork(at: (times + [stopBy]).compactMap(\.self).min())
    }

    func workOffline() {
        for result in inbox.take() { _ = settle(result) }
    }

    func closed(_ error: AMQPError) {
        isConnected = false
        for index in consumptions.indices {
            consumptions[index].disconnected()
            if isFinished { consumptions[index].task?.cancel() }
        }
        showState()
    }

    private func take(_ message: DeliveryAssembler.Message?, _ index: Int) {
        switch message {
        case nil: return
        case .turnedAway(let tag):
            consumptions[index].metrics.turnedAwayMessage()
            consumptions[index].batcher.turnAway(tag)
        case .delivery(let delivery, let tag):
            consumptions[index].batcher.gather(delivery, tag: tag)
            if delivery.redelivered { consumptions[index].metrics.redeliveredMessage() }
            guard delivery.isTooLarge else { return }
            consumptions[index].metrics.tooLargeMessage()
            logger.warning(
                "a message is too large to take in; handing over its length alone",
                metadata: [
                    "queue": "\(delivery.queue)", "messageId": "\(delivery.messageID ?? "")",
                    "bytes": "\(delivery.discardedBytes)",
                ])
        }
    }

    /// What to acknowledge now that a handler has ended.
    private func settle(_ result: DeliveryQueue.Result) -> UInt64? {
        consumptions[result.index].task = nil
        let (metrics, count) = (consumptions[result.index].metrics, result.messages)
        if result.succeeded {
            metrics.handled(messages: count)
            return consumptions[result.index].batcher.succeeded(at: .now)
        }
        metrics.failedBatch()
        consumptions[result.index].batcher.failed(at: .now)
        return nil
    }

    private func runHandler(_ index: Int) {
        guard let batch = consumptions[index].batcher.next(at: .now) else { return }
        let subscription = consumptions[index].subscription
        let (inbox, logger) = (inbox, logger)
        consumptions[index].task = Task {
            do {
                try await subscription.handler(batch)
                inbox.handled(.init(index: index, messages: batch.count, succeeded: true))
            } catch {
                logger.error(
                    "a batch of messages could not be handled; trying it again",
                    metadata: [
                        "queue": "\(subscription.queue)", "messages": "\(batch.count)",
                        "error": "\(String(reflecting: error))",
                    ])
                inbox.handled(.init(index: index, messages: batch.count, succeeded: false))
            }
        }
    }

    private func showState() {
        inbox.setUp(isConnected && consumptions.allSatisfy(\.isSubscribed))
    }
}

// Subscribing and its end.
extension ConsumerRole {
    private func subscribe(_ index: Int, on connection: AMQPConnection) throws(AMQPError) {
        let (channel, subscription) = (consumptions[index].channel, consumptions[index].subscription)
        do throws(AMQPError) {
            if !consumptions[index].isChannelOpen {
                try connection.openChannel(channel)
                consumptions[index].channelOpened()
                try connection.limitUnacknowledged(channel, to: consumptions[index].prefetch)
            }
            try connection.consume(channel, queue: subscription.queue, tag: consumptions[index].consumerTag)
            consumptions[index].subscribed()
        } catch {
            guard case .channelClosed = error else { throw error }
            refused(index, error)
        }
    }

    /// Queues may have been deleted, so what is missing is declared anew first.
    private func resubscribe(on connection: AMQPConnection) throws(AMQPError) {
        let due = consumptions.indices.filter { consumptions[$0].subscribeAt.map { $0 <= .now } ?? false }
        guard !due.isEmpty else { return }
        do throws(AMQPError) {
            try connection.declare(topology, on: Self.declaring)
            for index in due { try subscribe(index, on: connection) }
        } catch {
            guard case .channelClosed = error else { throw error }
            logger.error("RabbitMQ refused a declaration", metadata: ["reason": "\(error.reason)"])
            for index in due { consumptions[index].unsubscribed(at: .now) }
        }
        showState()
    }

    private func refused(_ index: Int, _ error: AMQPError) {
        logger.error(
            "RabbitMQ closed a consuming channel; opening it again",
            metadata: ["queue": "\(consumptions[index].subscription.queue)", "reason": "\(error.reason)"])
        consumptions[index].channelClosed(at: .now)
        showState()
    }

    private func cancel(on connection: AMQPConnection) throws(AMQPError) {
        guard !isCancelled else { return }
        isCancelled = true
        for index in consumptions.indices {
            consumptions[index].batcher.stop()
            guard consumptions[index].isSubscribed else { continue }
            try connection.cancelConsumer(consumptions[index].channel, tag: consumptions[index].consumerTag)
        }
    }
}
