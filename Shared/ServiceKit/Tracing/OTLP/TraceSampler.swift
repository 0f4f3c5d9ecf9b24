import SettleCore

/// Which traces are recorded; decided where they begin. By the names that OpenTelemetry gives them in `OTEL_TRACES_SAMPLER`.
struct TraceSampler: Sendable, Equatable {
    /// What is done about a trace that somebody else began.
    enum Kind: String, CaseIterable, Sendable {
        case alwaysOn = "always_on"
        case alwaysOff = "always_off"
        case ratio = "traceidratio"
        case parentAlwaysOn = "parentbased_always_on"
        case parentAlwaysOff = "parentbased_always_off"
        case parentRatio = "parentbased_traceidratio"
    }

    var kind = Kind.parentAlwaysOn
    /// The part of all traces, from 0 to 1, that the kinds with a ratio record.
    var ratio = 1.0

    /// Whether a span is recorded.
    ///
    /// - Parameters:
    ///   - trace: the one that it belongs to.
    ///   - parent: what the span says that it is beneath; nil for a trace that begins.
    func records(_ trace: TraceParent, beneath parent: TraceParent?) -> Bool {
        switch kind {
        case .alwaysOn: true
        case .alwaysOff: false
        case .ratio: isInRatio(trace)
        case .parentAlwaysOn: parent?.isSampled ?? true
        case .parentAlwaysOff: parent?.isSampled ?? false
        case .parentRatio: parent?.isSampled ?? isInRatio(trace)
        }
    }

    /// By the trace's own number, so that all services come to one answer: its last 8 bytes, as other SDKs have it.
    private func isInRatio(_ trace: TraceParent) -> Bool {
        guard ratio < 1 else { return true }
        let number = UInt64(trace.traceID.suffix(16), radix: 16) ?? .max
        return number >> 1 < UInt64(ratio * 0x1p63)
    }
}
