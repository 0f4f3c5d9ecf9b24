package import Tracing

/// What carries a trace to somebody else, and from there.
package enum TraceHeaders {
    /// Of the current task's trace: the headers that the process's instrument gives it; none without a trace.
    package static func current() -> [String: String] {
        ServiceContext.current.map { of($0) } ?? [:]
    }

    /// Those of `context`.
    package static func of(_ context: ServiceContext) -> [String: String] {
        var headers: [String: String] = [:]
        InstrumentationSystem.instrument.inject(context, into: &headers, using: DictionaryInjector())
        return headers
    }

    /// What these headers say, as the process's instrument reads them.
    package static func context(_ headers: [String: String]) -> ServiceContext {
        var context = ServiceContext.topLevel
        InstrumentationSystem.instrument.extract(headers, into: &context, using: DictionaryExtractor())
        return context
    }
}

private struct DictionaryInjector: Injector {
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
}

private struct DictionaryExtractor: Extractor {
    func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
}
