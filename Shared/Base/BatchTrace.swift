package import Tracing

/// What a batch looks like in traces, whose members are of many.
///
/// Each member whose trace is recorded has a span of its own there, for as long as the batch takes. The batch's own work (a
/// transaction, a request) is in the trace of the first of them, beneath its span: once, since it is done once. That span and
/// those of the others have links to each other.
package struct BatchTrace: Sendable {
    /// As many as a span of OpenTelemetry has by default.
    private static let maxLinks = 128

    /// By the member's place in the batch.
    private var spans: [Int: any Span] = [:]
    /// What the batch's work is beneath; of a trace that is not recorded, so that who is called does not record it either.
    private var lead: ServiceContext?
    private let endsThem: Bool

    /// Of a batch that nobody follows.
    package static let none = BatchTrace(spans: [:])

    private init(spans: [Int: any Span]) {
        self.spans = spans
        endsThem = true
    }

    /// Starts a span for each member that is in a trace which is recorded.
    ///
    /// - Parameters:
    ///   - name: of each of them.
    ///   - members: what each is beneath; looked at if there is a tracer.
    ///   - attributes: of the member at a place; asked for if it is recorded.
    package init(
        _ name: @autoclosure () -> String, ofKind kind: SpanKind = .internal,
        of members: @autoclosure () -> [ServiceContext?],
        attributes: (Int) -> SpanAttributes = { _ in [:] }
    ) {
        endsThem = true
        guard let tracer = Spans.tracer else { return }
        let name = name()
        var first: (place: Int, span: any Span)?
        for (place, member) in members().enumerated() {
            guard let member else { continue }
            lead = lead ?? member
            let span = tracer.startSpan(name, context: member, ofKind: kind)
            guard span.isRecording else {
                span.end()
                continue
            }
            span.updateAttributes { $0.merge(attributes(place)) }
            spans[place] = span
            first = first ?? (place, span)
        }
        link()
        lead = first?.span.context ?? lead
    }

    /// The same for members that come with a W3C `traceparent`; those that are not recorded cost a look at it.
    package init(
        _ name: @autoclosure () -> String, ofKind kind: SpanKind,
        traceParents: @autoclosure () -> [String?], attributes: (Int) -> SpanAttributes
    ) {
        self.init(
            name(), ofKind: kind, of: Self.contexts(traceParents()), attributes: attributes)
    }

    /// Of members that have spans already, which end by themselves.
    ///
    /// - Parameter headers: of one of them: what they say when none is recorded.
    package init(around spans: [(any Span)?], or headers: @autoclosure () -> [String: String]?) {
        endsThem = false
        guard Spans.tracer != nil else { return }
        for (place, span) in spans.enumerated() { self.spans[place] = span }
        lead = spans.lazy.compactMap(\.self).first?.context ?? headers().map { TraceHeaders.context($0) }
        link()
    }

    private static func contexts(_ traceParents: [String?]) -> [ServiceContext?] {
        guard traceParents.contains(where: { $0.map(TraceParent.saysSampled) ?? false }) else {
            // One of them says it for all: what follows is not recorded.
            return traceParents.lazy.compactMap(\.self).first.map { [context($0)] } ?? []
        }
        return traceParents.map { header in header.flatMap { TraceParent.saysSampled($0) ? context($0) : nil } }
    }

    private static func context(_ traceParent: String) -> ServiceContext {
        TraceHeaders.context(["traceparent": traceParent])
    }

    /// How many members there are, for a span that is one of several.
    package static func count(_ members: Int) -> SpanAttributes {
        members > 1 ? ["settle.batch.size": .int(Int64(members))] : [:]
    }

    private func link() {
        guard spans.count > 1 else { return }
        let inOrder = spans.sorted { $0.key < $1.key }.map(\.value)
        for other in inOrder.dropFirst().prefix(Self.maxLinks) {
            inOrder[0].addLink(SpanLink(context: other.context, attributes: [:]))
            other.addLink(SpanLink(context: inOrder[0].context, attributes: [:]))
        }
    }

    /// Does the batch's work.
    package func run<Result>(_ work: () async throws -> Result) async rethrows -> Result {
        guard let lead else { return try await work() }
        return try await ServiceContext.withValue(lead) { try await work() }
    }

    /// The span of the member at `place`, if it is recorded.
    package subscript(place: Int) -> (any Span)? { spans[place] }

    /// The W3C `traceparent` that goes on from the member at `place`; nil if it is not recorded.
    package func traceParent(_ place: Int) -> String? {
        spans[place].flatMap { TraceHeaders.of($0.context)["traceparent"] }
    }

    /// All of it failed.
    package func failed(_ error: any Error) {
        for span in spans.values { span.failed(error) }
    }

    /// The batch is done.
    package func end() {
        guard endsThem else { return }
        for span in spans.values { span.end() }
    }
}
