import SettleCore
import Tracing

/// A span that has ended, as it waits for its export. All of it is bounded.
struct FinishedSpan: Sendable {
    /// What a span keeps; what is more is counted, and left out.
    enum Limits {
        static let attributes = 32
        static let events = 8
        static let links = 128
        /// Of a text.
        static let bytes = 256
        /// Of a list.
        static let elements = 32
    }

    struct Event: Sendable {
        let name: String
        let time: UInt64
        let attributes: SpanAttributes
    }

    let trace: TraceParent
    /// Nil where the trace begins.
    let parent: TraceParent?
    var name: String
    let kind: SpanKind
    /// Nanoseconds since 1970, as all times here.
    let start: UInt64
    var end: UInt64 = 0
    var attributes: SpanAttributes = [:]
    var events: [Event] = []
    var links: [TraceParent] = []
    var droppedAttributes = 0
    var droppedEvents = 0
    var droppedLinks = 0
    var status: SpanStatus?

    /// Those that it has in their new values, and of the others as many as there is room for.
    mutating func keep(_ all: SpanAttributes) {
        guard all.count > Limits.attributes else { return attributes = all }
        var kept: SpanAttributes = [:]
        attributes.forEach { name, _ in kept.set(name, value: all.get(name)) }
        all.forEach { name, value in if kept.count < Limits.attributes { kept.set(name, value: value) } }
        droppedAttributes += all.count - kept.count
        attributes = kept
    }
}
