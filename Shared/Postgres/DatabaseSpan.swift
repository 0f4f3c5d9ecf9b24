import SettleCore
import Tracing

/// What calls of a database look like in traces, by OpenTelemetry's conventions:
/// https://opentelemetry.io/docs/specs/semconv/database/postgresql/. Never what is bound to a statement, nor its text, in which
/// a caller may have written values.
struct DatabaseSpan: Sendable {
    private let attributes: SpanAttributes

    init(_ settings: ConnectionSettings) {
        var attributes: SpanAttributes = ["db.system.name": "postgresql"]
        if let database = settings.values["dbname"] { attributes["db.namespace"] = database }
        if let host = settings.values["host"] { attributes["server.address"] = host }
        if let port = settings.values["port"].flatMap({ Int($0) }) { attributes["server.port"] = port }
        self.attributes = attributes
    }

    /// A span around `body`, beneath what its caller does for a trace.
    ///
    /// - Parameters:
    ///   - caller: the function that asks: what it does has one name, whatever it is done with.
    ///   - sql: a statement, if it is one, of which the first word is kept.
    func around<Result>(
        _ caller: StaticString, sql: String? = nil, _ body: () async throws -> Result
    ) async rethrows -> Result {
        try await Spans.beneath(
            Self.name(caller), ofKind: .client,
            attributes: {
                var attributes = attributes
                attributes["db.query.summary"] = Self.name(caller)
                attributes["db.operation.name"] = sql.map { $0.prefix { $0.isLetter }.uppercased() }
                return attributes
            }
        ) { _ in try await body() }
    }

    /// `archive` of `archive(_:in:)`.
    private static func name(_ function: StaticString) -> String { String("\(function)".prefix { $0 != "(" }) }
}
