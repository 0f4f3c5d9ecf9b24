import SettleCore
import Instrumentation
import SettleServiceKit
import Testing

@Suite("Trace context")
struct W3CTraceContextTests {
    static let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    private struct Dictionary: Extractor, Injector {
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    }

    private func extract(_ carrier: [String: String]) -> ServiceContext {
        var context = ServiceContext.topLevel
        W3CTraceContext().extract(carrier, into: &context, using: Dictionary())
        return context
    }

    @Test("what comes in goes out as the same trace and a new span")
    func carried() throws {
        let parent = try #require(TraceParent(Self.valid))
        var headers: [String: String] = [:]
        W3CTraceContext().inject(
            extract(["traceparent": Self.valid]), into: &headers, using: Dictionary())
        let child = try #require(headers["traceparent"].flatMap { TraceParent($0) })
        #expect(child.traceID == parent.traceID)
        #expect(child.spanID != parent.spanID)
    }

    @Test("without a valid one a new trace begins", arguments: [[:], ["traceparent": "nonsense"]])
    func fresh(carrier: [String: String]) {
        #expect(extract(carrier).traceParent != nil)
    }

    @Test("outside of a trace nothing is sent")
    func none() {
        var headers: [String: String] = [:]
        W3CTraceContext().inject(.topLevel, into: &headers, using: Dictionary())
        #expect(headers.isEmpty)
    }
}
