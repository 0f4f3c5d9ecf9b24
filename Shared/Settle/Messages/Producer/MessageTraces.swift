import Foundation
import SettleCore
import Synchronization
import Tracing

/// The traces of messages that the centre is told of twice: of the second time only their ids are known.
final class MessageTraces: Sendable {
    /// As many are remembered: of those that are recorded, between the two.
    private static let capacity = 1024
    private let remembered = Mutex<[UUID: String]>([:])

    /// Of messages that the centre is about to get.
    func preparing(_ messages: [StoredMessage]) -> BatchTrace {
        guard Spans.tracer != nil else { return .none }
        remembered.withLock { remembered in
            for message in messages {
                guard let trace = message.traceParent, TraceParent.saysSampled(trace) else { continue }
                // Those that were never confirmed make room for the others.
                if remembered.count >= Self.capacity { remembered.removeAll() }
                remembered[message.id] = trace
            }
        }
        return BatchTrace("prepare message", ofKind: .internal, traceParents: messages.map(\.traceParent)) {
            Self.attributes(messages[$0].id)
        }
    }

    /// Of messages that the centre is about to be told to send.
    func confirming(_ ids: [UUID]) -> BatchTrace {
        guard Spans.tracer != nil else { return .none }
        let traceParents = remembered.withLock { remembered in ids.map { remembered.removeValue(forKey: $0) } }
        return BatchTrace("confirm message", ofKind: .internal, traceParents: traceParents) { Self.attributes(ids[$0]) }
    }

    /// Of outcomes that came in one request, of which the request itself is in the trace of one.
    static func taking(_ messages: [SettledMessage], since begin: DefaultTracerClock.Timestamp) {
        guard let tracer = Spans.tracer else { return }
        for message in messages {
            guard let trace = message.traceParent, TraceParent.saysSampled(trace) else { continue }
            let span = tracer.startSpan(
                "take outcome", context: TraceHeaders.context([TraceHeader.name: trace]), at: begin)
            span.updateAttributes { $0.merge(Self.attributes(message.id)) }
            if let request = ServiceContext.current { span.addLink(SpanLink(context: request, attributes: [:])) }
            span.end()
        }
    }

    private static func attributes(_ id: UUID) -> SpanAttributes {
        ["messaging.message.id": .string(id.uuidString.lowercased())]
    }
}
