import CSettleRabbitMQ
import Foundation

extension AMQPConnection {
    /// Writes a message; it is on its way when this returns, and no more than that.
    package func publish(_ channel: UInt16, _ message: OutboundMessage) throws(AMQPError) {
        defer { arena.reset() }
        var properties = unsafe properties(of: message)
        let frameBody = Int(unsafe amqp_get_frame_max(handle)) - Self.frameOverhead
        if message.body.count > frameBody {
            try unsafe publishByFrames(channel, message, &properties, frameBody)
        } else {
            try unsafe publishAtOnce(channel, message, &properties)
        }
    }

    /// The head and the end byte of a frame.
    private static let frameOverhead = 8

    private func publishAtOnce(
        _ channel: UInt16, _ message: OutboundMessage, _ properties: inout amqp_basic_properties_t
    ) throws(AMQPError) {
        let status = unsafe message.body.withUnsafeBytes { body in
            // The library only reads from the body.
            let bytes = unsafe amqp_bytes_t(len: body.count, bytes: UnsafeMutableRawPointer(mutating: body.baseAddress))
            return writing {
                unsafe amqp_basic_publish(
                    handle, channel, arena.bytes(message.exchange), arena.bytes(message.routingKey), 1, 0, &properties,
                    bytes)
            }
        }
        try Self.check(status, during: "publishing")
    }

    /// Frame by frame, so that how long the whole takes does not matter as long as the broker takes each one in.
    private func publishByFrames(
        _ channel: UInt16, _ message: OutboundMessage, _ properties: inout amqp_basic_properties_t, _ frameBody: Int
    ) throws(AMQPError) {
        var publish = unsafe amqp_basic_publish_t(
            ticket: 0, exchange: arena.bytes(message.exchange), routing_key: arena.bytes(message.routingKey),
            mandatory: 1, immediate: 0)
        try Self.check(
            writing { unsafe amqp_send_method(handle, channel, AMQP_BASIC_PUBLISH_METHOD, &publish) },
            during: "publishing")

        var frame = unsafe amqp_frame_t()
        unsafe frame.channel = channel
        unsafe frame.frame_type = UInt8(AMQP_FRAME_HEADER)
        unsafe frame.payload.properties.class_id = UInt16(AMQP_BASIC_CLASS)
        unsafe frame.payload.properties.body_size = UInt64(message.body.count)
        let headerStatus = unsafe withUnsafeMutablePointer(to: &properties) { properties in
            unsafe frame.payload.properties.decoded = UnsafeMutableRawPointer(properties)
            return writing { unsafe amqp_send_frame(handle, &frame) }
        }
        try Self.check(headerStatus, during: "publishing")

        unsafe frame.frame_type = UInt8(AMQP_FRAME_BODY)
        let bodyStatus = unsafe message.body.withUnsafeBytes { body in
            var rest = unsafe body[...]
            while unsafe !rest.isEmpty {
                let part = unsafe UnsafeRawBufferPointer(rebasing: rest.prefix(frameBody))
                unsafe rest = rest.dropFirst(frameBody)
                // The library only reads from the body.
                unsafe frame.payload.body_fragment = amqp_bytes_t(
                    len: part.count, bytes: UnsafeMutableRawPointer(mutating: part.baseAddress))
                let status = writing { unsafe amqp_send_frame(handle, &frame) }
                if status != AMQP_STATUS_OK.rawValue { return status }
            }
            return AMQP_STATUS_OK.rawValue
        }
        try Self.check(bodyStatus, during: "publishing")
    }

    /// What the arena holds of it is good until the arena's next reset.
    private func properties(of message: OutboundMessage) -> amqp_basic_properties_t {
        var properties = unsafe amqp_basic_properties_t()
        var flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG
        unsafe properties.content_type = arena.bytes("application/json")
        unsafe properties.delivery_mode = UInt8(AMQP_DELIVERY_PERSISTENT.rawValue)
        unsafe properties.message_id = arena.bytes(message.messageID)
        if !message.headers.isEmpty {
            flags |= AMQP_BASIC_HEADERS_FLAG
            unsafe properties.headers = arena.table(message.headers.mapValues { .text($0) })
        }
        unsafe properties._flags = amqp_flags_t(flags)
        return unsafe properties
    }
}
