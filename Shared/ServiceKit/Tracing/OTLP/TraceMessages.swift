import SettleCore
import Tracing

// What OTLP sends, in the messages of opentelemetry-proto 1.x: `collector/trace/v1/trace_service.proto`, `trace/v1/trace.proto`,
// `resource/v1/resource.proto` and `common/v1/common.proto`. The numbers are those of their fields.

/// Who sends: the same in all requests of a process, encoded once.
struct TraceResource: Sendable {
    /// `Resource`, as a message.
    let bytes: [UInt8]

    init(_ attributes: [(name: String, value: String)]) {
        var resource = ProtobufWriter()
        for (name, value) in attributes { resource.attribute(1, name, .string(value)) }  // attributes
        bytes = resource.bytes
    }

    /// `ExportTraceServiceRequest` with these spans, each encoded by ``FinishedSpan/encoded``.
    func request(_ spans: some Sequence<[UInt8]>) -> [UInt8] {
        var request = ProtobufWriter()
        request.message(1) { resourceSpans in  // resource_spans
            resourceSpans.data(1, bytes)  // resource
            resourceSpans.message(2) { scopeSpans in  // scope_spans
                scopeSpans.message(1) { $0.text(1, "settle") }  // scope: name
                for span in spans { scopeSpans.data(2, span) }  // spans
            }
        }
        return request.bytes
    }
}

extension FinishedSpan {
    /// `Span`, as a message.
    var encoded: [UInt8] {
        var span = ProtobufWriter()
        span.data(1, trace.traceID.hexBytes)  // trace_id
        span.data(2, trace.spanID.hexBytes)  // span_id
        if let parent { span.data(4, parent.spanID.hexBytes) }  // parent_span_id
        span.text(5, name.cut(toBytes: Limits.bytes))  // name
        span.unsigned(6, kind.number)  // kind
        span.fixed64(7, start)  // start_time_unix_nano
        span.fixed64(8, end)  // end_time_unix_nano
        let dropped = droppedAttributes + span.attributes(9, attributes)  // attributes
        if dropped > 0 { span.unsigned(10, UInt64(dropped)) }  // dropped_attributes_count
        for event in events {
            span.message(11) { message in  // events
                message.fixed64(1, event.time)  // time_unix_nano
                message.text(2, event.name.cut(toBytes: Limits.bytes))  // name
                let dropped = message.attributes(3, event.attributes)  // attributes
                if dropped > 0 { message.unsigned(4, UInt64(dropped)) }  // dropped_attributes_count
            }
        }
        if droppedEvents > 0 { span.unsigned(12, UInt64(droppedEvents)) }  // dropped_events_count
        for link in links {
            span.message(13) { message in  // links
                message.data(1, link.traceID.hexBytes)  // trace_id
                message.data(2, link.spanID.hexBytes)  // span_id
                message.fixed32(6, UInt32(link.flags))  // flags
            }
        }
        if droppedLinks > 0 { span.unsigned(14, UInt64(droppedLinks)) }  // dropped_links_count
        if let status { span.message(15) { $0.unsigned(3, status.code == .error ? 2 : 1) } }  // status: code
        span.fixed32(16, UInt32(trace.flags))  // flags
        return span.bytes
    }
}

extension SpanKind {
    /// `Span.SpanKind`.
    fileprivate var number: UInt64 {
        switch self {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }
}

extension ProtobufWriter {
    /// `repeated KeyValue`; returns how many were left out.
    fileprivate mutating func attributes(_ field: UInt64, _ attributes: SpanAttributes) -> Int {
        var (kept, dropped) = (0, 0)
        attributes.forEach { name, value in
            if kept < FinishedSpan.Limits.attributes {
                attribute(field, name, value)
                kept += 1
            } else {
                dropped += 1
            }
        }
        return dropped
    }

    /// `KeyValue`.
    fileprivate mutating func attribute(_ field: UInt64, _ name: String, _ attribute: SpanAttribute) {
        message(field) { pair in
            pair.text(1, name.cut(toBytes: FinishedSpan.Limits.bytes))  // key
            pair.message(2) { $0.value(attribute) }  // value
        }
    }

    /// `AnyValue`.
    private mutating func value(_ attribute: SpanAttribute) {
        let few = FinishedSpan.Limits.elements
        switch attribute {
        case .string(let value): text(1, value.cut(toBytes: FinishedSpan.Limits.bytes))  // string_value
        case .stringConvertible(let value): self.value(.string("\(value)"))
        case .bool(let value): unsigned(2, value ? 1 : 0)  // bool_value
        case .int32(let value): signed(3, Int64(value))  // int_value
        case .int64(let value): signed(3, value)
        case .double(let value): double(4, value)  // double_value
        case .stringArray(let values): list(values.prefix(few).map { .string($0) })
        case .stringConvertibleArray(let values): list(values.prefix(few).map { .stringConvertible($0) })
        case .boolArray(let values): list(values.prefix(few).map { .bool($0) })
        case .int32Array(let values): list(values.prefix(few).map { .int32($0) })
        case .int64Array(let values): list(values.prefix(few).map { .int64($0) })
        case .doubleArray(let values): list(values.prefix(few).map { .double($0) })
        default: text(1, "")
        }
    }

    /// `ArrayValue`.
    private mutating func list(_ values: [SpanAttribute]) {
        message(5) { array in  // array_value
            for value in values { array.message(1) { $0.value(value) } }  // values
        }
    }
}

extension String {
    /// Of hexadecimal digits, as a ``TraceParent`` has them.
    fileprivate var hexBytes: [UInt8] {
        let digits = utf8.map { UInt8(Character(UnicodeScalar($0)).hexDigitValue ?? 0) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
