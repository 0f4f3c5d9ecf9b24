package import Tracing

/// Spans by whatever tracer the process has installed. Where it has none, and where a trace is not recorded, nothing is
/// built for them.
package enum Spans {
    /// Nil where nobody records anything.
    package static var tracer: (any Tracer)? {
        let tracer = InstrumentationSystem.tracer
        return tracer is NoOpTracer ? nil : tracer
    }

    /// A span around `body`, which gets it if it is recorded.
    ///
    /// Only beneath another: what nobody asked for, such as a look for what is due, begins no trace of its own.
    ///
    /// - Parameters:
    ///   - name: evaluated if there is a tracer.
    ///   - attributes: asked for if the span is recorded.
    package static func beneath<Result>(
        _ name: @autoclosure () -> String, ofKind kind: SpanKind = .internal, attributes: () -> SpanAttributes,
        _ body: ((any Span)?) async throws -> Result
    ) async rethrows -> Result {
        guard let context = ServiceContext.current, let tracer else { return try await body(nil) }
        let span = tracer.startSpan(name(), context: context, ofKind: kind)
        return try await within(span, attributes: attributes, body)
    }

    /// A span around `body` that begins a trace of its own: for what a service does by itself.
    package static func beginning<Result>(
        _ name: @autoclosure () -> String, attributes: () -> SpanAttributes, _ body: () async throws -> Result
    ) async rethrows -> Result {
        guard let tracer else { return try await body() }
        return try await within(tracer.startSpan(name(), context: .topLevel), attributes: attributes) { _ in
            try await body()
        }
    }

    /// `body` within `span`, which ends with it, and says what kind of error it was that `body` threw.
    package static func within<Result>(
        _ span: any Span, attributes: () -> SpanAttributes = { [:] }, _ body: ((any Span)?) async throws -> Result
    ) async rethrows -> Result {
        defer { span.end() }
        let isRecording = span.isRecording
        if isRecording { span.updateAttributes { $0.merge(attributes()) } }
        do {
            return try await ServiceContext.withValue(span.context) { try await body(isRecording ? span : nil) }
        } catch {
            if isRecording { span.failed(error) }
            throw error
        }
    }
}

extension Span {
    /// It ended with this error: its kind alone is kept. What an error says may hold values that nobody should read.
    package func failed(_ error: any Error) {
        recordError(error)
        failed(String(describing: type(of: error)))
    }

    /// It ended with an error of this kind, one of a few.
    package func failed(_ type: String) {
        updateAttributes { $0["error.type"] = type }
        setStatus(SpanStatus(code: .error))
    }
}
