import SettleCore
import Synchronization
public import Tracing

/// A span of ``OTLPTracer``. One that is not recorded only carries its context on.
public struct TraceSpan: Span {
    /// Of what is done within the span.
    public let context: ServiceContext
    let recording: SpanRecording?

    /// Whether what is said of it is kept.
    public var isRecording: Bool { recording?.isOpen ?? false }

    /// A few words, the same for all spans that do the same.
    public var operationName: String {
        get { recording?.value.name ?? "" }
        nonmutating set { recording?.update { $0.name = newValue } }
    }

    /// At most 32 are kept, of 256 bytes each.
    public var attributes: SpanAttributes {
        get { recording?.value.attributes ?? [:] }
        nonmutating set { recording?.update { $0.keep(newValue) } }
    }

    /// Whether it went well. The message is not kept.
    public func setStatus(_ status: SpanStatus) { recording?.update { $0.status = status } }

    /// At most eight are kept.
    public func addEvent(_ event: SpanEvent) {
        recording?.add(
            FinishedSpan.Event(name: event.name, time: event.nanosecondsSinceEpoch, attributes: event.attributes))
    }

    /// An event `exception` with the error's type. Never what it says: that may hold values of statements and requests.
    public func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        guard let recording else { return }
        var attributes = attributes
        attributes["exception.type"] = String(reflecting: type(of: error))
        recording.add(
            FinishedSpan.Event(name: "exception", time: instant().nanosecondsSinceEpoch, attributes: attributes))
    }

    /// At most 128 are kept.
    public func addLink(_ link: SpanLink) {
        guard let recording, let traceParent = link.context.traceParent else { return }
        recording.update { span in
            if span.links.count < FinishedSpan.Limits.links {
                span.links.append(traceParent)
            } else {
                span.droppedLinks += 1
            }
        }
    }

    /// Hands it over to be exported, the first time.
    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        recording?.end(at: instant().nanosecondsSinceEpoch)
    }
}

/// A span that is recorded.
final class SpanRecording: Sendable {
    private let span: Mutex<FinishedSpan>
    private let hasEnded = Atomic(false)
    private let queue: SpanQueue

    init(_ span: FinishedSpan, queue: SpanQueue) {
        self.span = Mutex(span)
        self.queue = queue
    }

    var isOpen: Bool { !hasEnded.load(ordering: .relaxed) }
    var value: FinishedSpan { span.withLock { $0 } }

    func update(_ change: (inout FinishedSpan) -> Void) {
        span.withLock { span in if isOpen { change(&span) } }
    }

    func add(_ event: FinishedSpan.Event) {
        update { span in
            if span.events.count < FinishedSpan.Limits.events {
                span.events.append(event)
            } else {
                span.droppedEvents += 1
            }
        }
    }

    func end(at time: UInt64) {
        guard !hasEnded.exchange(true, ordering: .acquiringAndReleasing) else { return }
        queue.offer(
            span.withLock { span in
                // The clock may have been set back meanwhile.
                span.end = max(time, span.start)
                return span
            })
    }
}
