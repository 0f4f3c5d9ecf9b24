import Foundation
import SettleCore
import SettleTestSupport
import Testing
import Tracing

@testable import SettleServiceKit

@Suite("Traces: on the wire", .timeLimit(.minutes(1)))
struct TraceWireTests {
    /// A decoder made from the protocol's own definitions; `scripts/install test` brings it.
    private static let python = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: ".run/python/bin/python").path

    private static let decode = """
        from google.protobuf.json_format import MessageToJson
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        request = ExportTraceServiceRequest.FromString(open(__import__("sys").argv[1], "rb").read())
        print(MessageToJson(request, indent=None, sort_keys=True))
        """

    private func decoded(_ request: [UInt8]) async throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(path: "settle-trace-\(UUID())")
        try Data(request).write(to: file)
        // A file left behind in the temporary directory harms nobody.
        defer { try? FileManager.default.removeItem(at: file) }
        return try await Command.run(Self.python, ["-c", Self.decode, file.path])
    }

    @Test(
        "OpenTelemetry's own decoder reads what is written",
        .enabled(if: FileManager.default.isExecutableFile(atPath: TraceWireTests.python)))
    func decoder() async throws {
        let trace = try #require(TraceParent(W3CTraceContextTests.valid))
        let parent = try #require(TraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01"))
        var span = FinishedSpan(
            trace: trace, parent: parent, name: "POST /orders", kind: .server, start: 1_700_000_000_000_000_001)
        span.end = 1_700_000_000_000_000_300
        span.attributes = [
            "text": "täxt", "yes": true, "less": -1, "more": 300, "half": 0.5, "list": .stringArray(["a", "b"]),
        ]
        span.events = [FinishedSpan.Event(name: "exception", time: 17, attributes: ["exception.type": "Oops"])]
        span.links = [parent]
        span.status = SpanStatus(code: .error)
        let text = try await decoded(TraceResource([("service.name", "order")]).request([span.encoded, span.encoded]))
        for part in [
            #""resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "order"}}]}"#,
            #""scope": {"name": "settle"}"#, #""traceId": "S/kvNXezTaajzpKdDg5HNg==""#, #""spanId": "APBnqgupArc=""#,
            #""parentSpanId": "AAAAAAAAAAE=""#, #""name": "POST /orders""#, #""kind": "SPAN_KIND_SERVER""#,
            #""startTimeUnixNano": "1700000000000000001""#, #""endTimeUnixNano": "1700000000000000300""#,
            #"{"key": "text", "value": {"stringValue": "t\u00e4xt"}}"#,
            #"{"key": "yes", "value": {"boolValue": true}}"#,
            #"{"key": "less", "value": {"intValue": "-1"}}"#, #"{"key": "more", "value": {"intValue": "300"}}"#,
            #"{"key": "half", "value": {"doubleValue": 0.5}}"#,
            #"{"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}"#,
            #""events": [{"attributes": [{"key": "exception.type", "value": {"stringValue": "Oops"}}], "#
                + #""name": "exception", "timeUnixNano": "17"}]"#,
            #""links": [{"flags": 1, "spanId": "AAAAAAAAAAE=", "traceId": "S/kvNXezTaajzpKdDg5HNg=="}]"#,
            #""status": {"code": "STATUS_CODE_ERROR"}"#, #""flags": 1"#,
        ] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
    }

    @Test("numbers are written as the format has them")
    func numbers() {
        var writer = ProtobufWriter()
        writer.unsigned(1, 300)
        writer.signed(2, -2)
        writer.fixed32(16, 1)
        writer.text(3, "ä")
        #expect(
            writer.bytes == [0x08, 0xAC, 0x02, 0x10, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]
                + [0x85, 0x01, 1, 0, 0, 0, 0x1A, 2, 0xC3, 0xA4])
    }
}
