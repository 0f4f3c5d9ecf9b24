import SettleCore
public import Tracing

/// Records spans, and hands those that have ended to a `SpanExporter`.
///
/// What stands in `traceparent` is gone on with, and its word on whether the trace is recorded, where the sampler says so.
/// A span that is not recorded costs its caller next to nothing: it keeps no attributes, and the context it was given.
public struct OTLPTracer: Tracer {
    private static let header = "traceparent"

    let sampler: TraceSampler
    let queue: SpanQueue

    /// Takes over the caller's span; without a valid one, a trace begins with the next span.
    public func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        context.traceParent = extractor.extract(key: Self.header, from: carrier).flatMap { TraceParent($0) }
    }

    /// Does nothing outside of a trace.
    public func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let traceParent = context.traceParent else { return }
        injector.inject(traceParent.description, forKey: Self.header, into: &carrier)
    }

    /// Begins a span, and with it a trace where there is none.
    public func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> TraceSpan {
        var context = context()
        let parent = context.traceParent
        let begun = parent ?? .random()
        let isRecorded = sampler.records(begun, beneath: parent)
        guard isRecorded else {
            if parent?.isSampled ?? true { context.traceParent = begun.sampled(false) }
            return TraceSpan(context: context, recording: nil)
        }
        let own = (parent?.child() ?? begun).sampled(true)
        context.traceParent = own
        let span = FinishedSpan(
            trace: own, parent: parent, name: operationName, kind: kind, start: instant().nanosecondsSinceEpoch)
        return TraceSpan(context: context, recording: SpanRecording(span, queue: queue))
    }

    /// Nothing: the exporter sends what is there when it stops.
    public func forceFlush() {}
}
