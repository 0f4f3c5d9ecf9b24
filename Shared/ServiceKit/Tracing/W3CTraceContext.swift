public import SettleCore
public import Instrumentation

private enum TraceParentKey: ServiceContextKey {
    typealias Value = TraceParent
    static let nameOverride: String? = "traceparent"
}

extension ServiceContext {
    /// The trace that the current work belongs to, and the span that this process is in it.
    public var traceParent: TraceParent? {
        get { self[TraceParentKey.self] }
        set { self[TraceParentKey.self] = newValue }
    }
}

/// Carries `traceparent` from what came in to what goes out, so that one order can be followed through all services.
///
/// For where nothing is exported. Spans are not recorded here: the identifiers appear in the log, and a proxy or peer that
/// records them finds its own.
public struct W3CTraceContext: Instrument {
    private static let header = "traceparent"

    /// Nothing to configure.
    public init() {}

    /// Continues the trace of the carrier as a new span; starts a new trace when it has none or an invalid one.
    public func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        let parent = extractor.extract(key: Self.header, from: carrier).flatMap { TraceParent($0) }
        context.traceParent = parent?.child() ?? .random()
    }

    /// Does nothing outside of a trace.
    public func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let traceParent = context.traceParent else { return }
        injector.inject(traceParent.description, forKey: Self.header, into: &carrier)
    }
}
