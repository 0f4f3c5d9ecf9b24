import SettleCore
import Foundation

/// A task that is to be written with a business transaction.
public struct TaskDraft: Sendable {
    package let route: TaskRoute
    package let businessKey: String
    package let requestBody: String
    package let traceParent: String?
    package let options: TaskOptions

    /// About how many bytes it keeps while it waits to be written.
    public var roughSize: Int { businessKey.utf8.count + requestBody.utf8.count + 64 }

    /// - Parameters:
    ///   - route: what is to be done, and where it is sent.
    ///   - businessKey: what it is about, an order's id for instance; for people, and for looking tasks up.
    ///   - body: what the receiver needs to know; sent as JSON.
    ///   - traceParent: the W3C trace that it belongs to; the current one when left out.
    ///   - options: what else it asks for.
    /// - Throws: `InvalidTaskOptions`; what `body` throws when it is encoded.
    public init(
        _ route: TaskRoute, businessKey: String, body: some Encodable,
        traceParent: String? = TraceHeader.current(), options: TaskOptions = .none
    ) throws {
        try options.check()
        self.options = options
        self.route = route
        self.businessKey = businessKey
        self.requestBody = String(decoding: try JSONEncoder().encode(body), as: UTF8.self)
        self.traceParent = traceParent
    }

    /// One of `type`, in the current trace.
    public init<Body, Answer>(
        _ type: TaskType<Body, Answer>, businessKey: String, _ body: Body, options: TaskOptions = .none
    ) throws {
        try self.init(type.route, businessKey: businessKey, body: body, options: options)
    }
}

/// The W3C `traceparent` that tasks and their messages carry, through whatever instrument the process installed.
public enum TraceHeader {
    /// The header's name, in HTTP and in messages.
    public static let name = "traceparent"
    /// Version 00 has 55; later ones may add to it.
    private static let maxBytes = 255

    /// The header of the current task's trace, if there is one.
    public static func current() -> String? { TraceHeaders.current()[name] }

    /// Nil for what is no trace: it came from outside, and goes on from here.
    package static func checked(_ header: String?) -> String? {
        guard let header, header.utf8.count <= maxBytes, TraceParent(header) != nil else { return nil }
        return header
    }

    package static func headers(_ traceParent: String?) -> [String: String] {  // ours
        traceParent.map { [name: $0] } ?? [:]
    }
}
