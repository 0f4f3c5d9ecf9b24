import Instrumentation

/// What carries the current task's trace to somebody else.
package enum TraceHeaders {
    /// The headers that the process's instrument gives it; none without a trace.
    package static func current() -> [String: String] {
        var headers: [String: String] = [:]
        if let context = ServiceContext.current {
            InstrumentationSystem.instrument.inject(context, into: &headers, using: DictionaryInjector())
        }
        return headers
    }
}

private struct DictionaryInjector: Injector {
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
}
