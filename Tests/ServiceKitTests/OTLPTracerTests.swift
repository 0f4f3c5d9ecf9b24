import SettleCore
import Testing
import Tracing

@testable import SettleServiceKit

@Suite("Traces: spans")
struct OTLPTracerTests {
    private struct Carrier: Extractor, Injector {
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    }

    private struct Failure: Error, CustomStringConvertible {
        let description = "password=hunter2"
    }

    private func tracer(_ kind: TraceSampler.Kind = .parentAlwaysOn, capacity: Int = 100) -> OTLPTracer {
        OTLPTracer(sampler: TraceSampler(kind: kind), queue: SpanQueue(capacity: capacity, batch: 512))
    }

    private func context(_ tracer: OTLPTracer, _ header: String?) -> ServiceContext {
        var context = ServiceContext.topLevel
        tracer.extract(header.map { ["traceparent": $0] } ?? [:], into: &context, using: Carrier())
        return context
    }

    @Test("a span goes on from the header, and what it sends says so")
    func child() throws {
        let tracer = tracer()
        let span = tracer.startSpan("one", context: context(tracer, W3CTraceContextTests.valid), ofKind: .server)
        var headers: [String: String] = [:]
        tracer.inject(span.context, into: &headers, using: Carrier())
        span.end()
        let sent = try #require(headers["traceparent"].flatMap { TraceParent($0) })
        let finished = try #require(tracer.queue.take().first)
        #expect(finished.trace == sent)
        #expect(finished.parent == TraceParent(W3CTraceContextTests.valid))
        #expect(sent.traceID == finished.parent?.traceID)
        #expect(finished.end >= finished.start)
    }

    @Test(
        "nonsense in the header begins a trace, and so does none",
        arguments: [nil, "", "00-zz", String(repeating: "0", count: 100_000)])
    func fresh(header: String?) {
        let tracer = tracer()
        tracer.startSpan("one", context: context(tracer, header)).end()
        let spans = tracer.queue.take()
        #expect(spans.count == 1)
        #expect(spans.first?.parent == nil)
    }

    @Test("one that is not recorded is not kept, and says so to whoever is called")
    func unsampled() throws {
        let tracer = tracer(.alwaysOff)
        let span = tracer.startSpan("one", context: .topLevel)
        #expect(!span.isRecording)
        span.attributes["a"] = 1
        span.end()
        #expect(tracer.queue.take().isEmpty)
        let parent = try #require(span.context.traceParent)
        #expect(!parent.isSampled)
        #expect(tracer.startSpan("two", context: span.context).context.traceParent == parent)
    }

    @Test("an error leaves its type, and not what it says")
    func errors() throws {
        let tracer = tracer()
        let fail: () throws -> Void = { throw Failure() }
        #expect(throws: Failure.self) { try tracer.withSpan("one") { _ in try fail() } }
        let span = try #require(tracer.queue.take().first)
        #expect(span.status?.code == .error)
        #expect(span.events.map(\.name) == ["exception"])
        #expect(span.events.first?.attributes.get("exception.type").map { "\($0)".contains("Failure") } == true)
        #expect(!String(decoding: span.encoded, as: UTF8.self).contains("hunter2"))
    }

    @Test("whatever is said of a span, what is kept and sent is bounded")
    func bounded() throws {
        let tracer = tracer()
        let span = tracer.startSpan(String(repeating: "n", count: 100_000))
        for number in 0..<1_000 {
            span.attributes["attribute-\(number)"] = String(repeating: "ä", count: 10_000)
            span.addEvent(SpanEvent(name: String(repeating: "e", count: 10_000)))
            span.addLink(SpanLink(context: tracer.startSpan("other").context, attributes: [:]))
        }
        span.end()
        span.end()
        let spans = tracer.queue.take()
        #expect(spans.count == 1)
        let finished = try #require(spans.first)
        #expect(finished.attributes.count == 32)
        #expect(finished.links.count == 128)
        #expect(finished.droppedLinks == 872)
        #expect(finished.events.count == 8)
        #expect(finished.encoded.count < 24_000)
    }

    @Test("a full queue takes no more, and makes nobody wait")
    func full() {
        let tracer = tracer(capacity: 3)
        for _ in 0..<10 { tracer.startSpan("one").end() }
        #expect(tracer.queue.count == 3)
        #expect(tracer.queue.close() == 3)
        tracer.startSpan("late").end()
        #expect(tracer.queue.count == 0)
    }
}
