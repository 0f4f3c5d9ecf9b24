import CSettleRabbitMQ

/// Turns the library's frames into values: the one switch that every frame goes through.
enum FrameReader {
    static func read(_ frame: amqp_frame_t) -> InboundFrame {
        let content: InboundFrame.Content =
            switch Int32(unsafe frame.frame_type) {
            case AMQP_FRAME_METHOD: unsafe method(frame.payload.method)
            case AMQP_FRAME_HEADER:
                unsafe header(
                    bodySize: frame.payload.properties.body_size, decoded: frame.payload.properties.decoded)
            case AMQP_FRAME_BODY: unsafe .body(array(frame.payload.body_fragment))
            default: .other
            }
        return unsafe InboundFrame(channel: frame.channel, content: content)
    }

    /// The library has decoded the method into the structure that its id stands for; that is what makes the casts right.
    static func method(_ method: amqp_method_t) -> InboundFrame.Content {
        guard let decoded = unsafe method.decoded else { return .other }
        switch unsafe method.id {
        case AMQP_BASIC_ACK_METHOD:
            let ack = unsafe decoded.load(as: amqp_basic_ack_t.self)
            return .ack(tag: ack.delivery_tag, multiple: ack.multiple != 0)
        case AMQP_BASIC_NACK_METHOD:
            let nack = unsafe decoded.load(as: amqp_basic_nack_t.self)
            return .nack(tag: nack.delivery_tag, multiple: nack.multiple != 0)
        case AMQP_BASIC_RETURN_METHOD:
            let returned = unsafe decoded.load(as: amqp_basic_return_t.self)
            return unsafe .returned(
                .init(
                    code: Int(returned.reply_code), text: string(returned.reply_text),
                    exchange: string(returned.exchange), routingKey: string(returned.routing_key)))
        case AMQP_BASIC_DELIVER_METHOD:
            let deliver = unsafe decoded.load(as: amqp_basic_deliver_t.self)
            return unsafe .deliver(
                tag: deliver.delivery_tag, redelivered: deliver.redelivered != 0, exchange: string(deliver.exchange),
                routingKey: string(deliver.routing_key))
        case AMQP_BASIC_CANCEL_METHOD: return .consumerCancelled
        case AMQP_BASIC_CANCEL_OK_METHOD: return .consumerCancelOK
        case AMQP_CHANNEL_CLOSE_METHOD:
            let close = unsafe decoded.load(as: amqp_channel_close_t.self)
            return unsafe .channelClosed(code: Int(close.reply_code), text: string(close.reply_text))
        case AMQP_CONNECTION_CLOSE_METHOD:
            let close = unsafe decoded.load(as: amqp_connection_close_t.self)
            return unsafe .connectionClosed(code: Int(close.reply_code), text: string(close.reply_text))
        case AMQP_CONNECTION_BLOCKED_METHOD:
            return unsafe .blocked(reason: string(decoded.load(as: amqp_connection_blocked_t.self).reason))
        case AMQP_CONNECTION_UNBLOCKED_METHOD: return .unblocked
        default: return .other
        }
    }

    private static func header(bodySize: UInt64, decoded: UnsafeMutableRawPointer?) -> InboundFrame.Content {
        guard let decoded = unsafe decoded else { return .header(bodySize: bodySize, messageID: nil, headers: [:]) }
        let properties = unsafe decoded.load(as: amqp_basic_properties_t.self)
        let flags = unsafe properties._flags
        let hasID = flags & amqp_flags_t(AMQP_BASIC_MESSAGE_ID_FLAG) != 0
        let hasHeaders = flags & amqp_flags_t(AMQP_BASIC_HEADERS_FLAG) != 0
        return unsafe .header(
            bodySize: bodySize, messageID: hasID ? string(properties.message_id) : nil,
            headers: hasHeaders ? texts(properties.headers) : [:])
    }

    private static func texts(_ table: amqp_table_t) -> [String: String] {
        var texts: [String: String] = [:]
        for index in 0..<Int(unsafe table.num_entries) {
            let entry = unsafe table.entries[index]
            unsafe texts[string(entry.key)] = text(entry.value)
        }
        return texts
    }

    /// Nil for what has no plain text: nested tables, arrays, decimals.
    private static func text(_ field: amqp_field_value_t) -> String? {
        switch unsafe amqp_field_value_kind_t(UInt32(field.kind)) {
        case AMQP_FIELD_KIND_UTF8, AMQP_FIELD_KIND_BYTES: unsafe string(field.value.bytes)
        case AMQP_FIELD_KIND_BOOLEAN: unsafe field.value.boolean != 0 ? "true" : "false"
        case AMQP_FIELD_KIND_I8: unsafe String(field.value.i8)
        case AMQP_FIELD_KIND_U8: unsafe String(field.value.u8)
        case AMQP_FIELD_KIND_I16: unsafe String(field.value.i16)
        case AMQP_FIELD_KIND_U16: unsafe String(field.value.u16)
        case AMQP_FIELD_KIND_I32: unsafe String(field.value.i32)
        case AMQP_FIELD_KIND_U32: unsafe String(field.value.u32)
        case AMQP_FIELD_KIND_I64: unsafe String(field.value.i64)
        case AMQP_FIELD_KIND_U64, AMQP_FIELD_KIND_TIMESTAMP: unsafe String(field.value.u64)
        case AMQP_FIELD_KIND_F32: unsafe String(field.value.f32)
        case AMQP_FIELD_KIND_F64: unsafe String(field.value.f64)
        default: nil
        }
    }

    private static func string(_ bytes: amqp_bytes_t) -> String {
        unsafe String(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
    }

    private static func array(_ bytes: amqp_bytes_t) -> [UInt8] {
        unsafe [UInt8](UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len))
    }
}
