import CSettleRabbitMQ
import Foundation

/// The calls that wait for the broker's answer. Frames that come in between are kept for `nextFrame`.
extension AMQPConnection {
    package func openChannel(_ channel: UInt16) throws(AMQPError) {
        try call(channel, "opening a channel") { _ = unsafe amqp_channel_open(handle, channel) }
    }

    func closeChannel(_ channel: UInt16) throws(AMQPError) {
        let reply = unsafe asking { unsafe amqp_channel_close(handle, channel, AMQP_REPLY_SUCCESS) }
        unsafe amqp_maybe_release_buffers_on_channel(handle, channel)
        try unsafe Self.check(reply, during: "closing a channel")
    }

    package func confirmSelect(_ channel: UInt16) throws(AMQPError) {
        try call(channel, "asking for confirms") { _ = unsafe amqp_confirm_select(handle, channel) }
    }

    package func limitUnacknowledged(_ channel: UInt16, to prefetch: UInt16) throws(AMQPError) {
        try call(channel, "setting the prefetch") { _ = unsafe amqp_basic_qos(handle, channel, 0, prefetch, 0) }
    }

    package func consume(_ channel: UInt16, queue: String, tag: String) throws(AMQPError) {
        try call(channel, "subscribing") {
            _ = unsafe amqp_basic_consume(
                handle, channel, arena.bytes(queue), arena.bytes(tag), 0, 0, 0, amqp_table_t())
        }
    }

    /// Declares all of it on a channel of its own, so that a refusal closes that one alone.
    package func declare(_ topology: Topology, on channel: UInt16) throws(AMQPError) {
        try openChannel(channel)
        for exchange in topology.exchanges {
            try call(channel, "declaring exchange \(exchange.name)") {
                _ = unsafe amqp_exchange_declare(
                    handle, channel, arena.bytes(exchange.name), arena.bytes(exchange.kind.rawValue), 0, 1, 0, 0,
                    amqp_table_t())
            }
        }
        for queue in topology.queues {
            var arguments = queue.arguments
            // A classic queue is what comes without the argument; leaving it out also matches a queue made so before.
            if queue.kind != .classic { arguments["x-queue-type"] = .text(queue.kind.rawValue) }
            try call(channel, "declaring queue \(queue.name)") {
                _ = unsafe amqp_queue_declare(
                    handle, channel, arena.bytes(queue.name), 0, 1, 0, 0, arena.table(arguments))
            }
        }
        for binding in topology.bindings {
            try call(channel, "binding queue \(binding.queue)") {
                _ = unsafe amqp_queue_bind(
                    handle, channel, arena.bytes(binding.queue), arena.bytes(binding.exchange),
                    arena.bytes(binding.routingKey), amqp_table_t())
            }
        }
        try closeChannel(channel)
    }

    private func call(_ channel: UInt16, _ what: String, _ body: () -> Void) throws(AMQPError) {
        asking(body)
        arena.reset()
        let reply = unsafe amqp_get_rpc_reply(handle)
        defer { unsafe amqp_maybe_release_buffers_on_channel(handle, channel) }
        do throws(AMQPError) {
            try unsafe Self.check(reply, during: what)
        } catch {
            if case .channelClosed = error { try agreeToClose(channel) }
            throw error
        }
    }
}

/// The calls that wait for no answer.
extension AMQPConnection {
    /// Answers the broker's channel.close; the channel can be opened again then.
    func agreeToClose(_ channel: UInt16) throws(AMQPError) {
        var closeOK = amqp_channel_close_ok_t()
        try Self.check(
            writing { unsafe amqp_send_method(handle, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &closeOK) },
            during: "agreeing to close a channel")
    }

    /// Answers the broker's connection.close.
    func agreeToCloseConnection() throws(AMQPError) {
        var closeOK = amqp_connection_close_ok_t()
        try Self.check(
            writing { unsafe amqp_send_method(handle, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &closeOK) },
            during: "agreeing to close the connection")
    }

    /// Asks for no more deliveries; those under way still come, then `.consumerCancelOK`.
    func cancelConsumer(_ channel: UInt16, tag: String) throws(AMQPError) {
        defer { arena.reset() }
        var cancel = unsafe amqp_basic_cancel_t(consumer_tag: arena.bytes(tag), nowait: 0)
        try Self.check(
            writing { unsafe amqp_send_method(handle, channel, AMQP_BASIC_CANCEL_METHOD, &cancel) },
            during: "unsubscribing")
    }

    package func ack(_ channel: UInt16, upTo tag: UInt64) throws(AMQPError) {
        try Self.check(writing { unsafe amqp_basic_ack(handle, channel, tag, 1) }, during: "acknowledging")
    }

    /// Gives all that is not acknowledged, up to `tag`, back to its queue.
    func giveBack(_ channel: UInt16, upTo tag: UInt64) throws(AMQPError) {
        try Self.check(writing { unsafe amqp_basic_nack(handle, channel, tag, 1, 1) }, during: "giving back")
    }
}
