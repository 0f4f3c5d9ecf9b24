import Foundation
import SettleTestSupport

/// A span as `scripts/lib/collector` writes it down.
struct CollectedSpan: Decodable, Sendable {
    struct Link: Decodable, Sendable {
        let trace: String
        let id: String
    }

    struct Event: Decodable, Sendable {
        let name: String
        let attributes: [String: String]
    }

    let service: String
    let resource: [String: String]
    let trace: String
    let id: String
    let parent: String?
    let name: String
    let kind: String
    let start: UInt64
    let end: UInt64
    let attributes: [String: String]
    let events: [Event]
    let links: [Link]
    let isError: Bool
    let flags: Int

    /// As the expectations of tests name it.
    var label: String { "\(service): \(name)" }
}

/// A collector of traces, which decodes by the protocol's own definitions.
struct Collector: Sendable {
    /// Of `scripts/install test`.
    private static let python = Testbed.root.appending(path: ".run/python/bin/python").path

    let port: Int
    private let file: URL

    /// What services are set to, to send all that they record, and soon.
    var settings: [String: String] {
        ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(port)", "OTEL_BSP_SCHEDULE_DELAY": "50"]
    }

    /// Runs one for the time of `body`, which answers every request with `status`.
    static func with(status: Int = 200, _ body: (Collector) async throws -> Void) async throws {
        let server = try PrivateServer()
        let collector = Collector(port: try Ports.take(), file: server.folder.appending(path: "spans"))
        let script = Testbed.root.appending(path: "scripts/lib/collector").path
        try await server.start([python, script, "\(collector.port)", collector.file.path, "\(status)"]) {
            Socket.accepts(port: collector.port)
        }
        do {
            try await body(collector)
        } catch {
            try await server.remove()
            throw error
        }
        try await server.remove()
    }

    /// All that came so far.
    func spans() throws -> [CollectedSpan] {
        guard FileManager.default.fileExists(atPath: file.path) else { return [] }
        let lines = try String(contentsOf: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        // What comes after the last line feed is being written.
        return try lines.dropLast().map { try JSONDecoder().decode(CollectedSpan.self, from: Data($0.utf8)) }
    }
}

/// The spans of one trace.
struct CollectedTrace: Sendable {
    let spans: [CollectedSpan]
    private let byID: [String: CollectedSpan]

    init(_ id: String, among all: [CollectedSpan]) {
        spans = all.filter { $0.trace == id }
        byID = Dictionary(spans.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Those whose parent is not in the trace.
    var roots: [CollectedSpan] { spans.filter { $0.parent.map { byID[$0] == nil } ?? true } }

    /// Its way from the root, by names: `order: POST /orders > order: send …`.
    func path(of span: CollectedSpan) -> String {
        var (labels, current) = ([span.label], span)
        while let parent = current.parent.flatMap({ byID[$0] }), labels.count < 64 {
            labels.append(parent.label)
            current = parent
        }
        return labels.reversed().joined(separator: " > ")
    }

    var paths: Set<String> { Set(spans.map { path(of: $0) }) }

    /// For a person to read.
    var text: String {
        spans.sorted { $0.start < $1.start }.map { "\($0.kind) \(path(of: $0))" }.joined(separator: "\n")
    }
}
