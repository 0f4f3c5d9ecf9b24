import Foundation
import SettleCore

/// Where spans go, by the names that OpenTelemetry's SDKs have for it:
/// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
struct TraceSettings: Sendable {
    /// As many headers, and attributes of the resource, are taken.
    private static let maxPairs = 32

    var isDisabled = false
    /// What `/v1/traces` is appended to.
    var endpoint: BaseURL?
    /// As it is; wins.
    var tracesEndpoint: BaseURL?
    var transport = Transport.protobuf
    var headers: [Pair] = []
    /// Of one attempt, in milliseconds.
    var timeout = 10_000
    var serviceName = ""
    var attributes: [Pair] = []
    var sampler = TraceSampler()
    /// How long spans gather, in milliseconds, once there is one.
    var delay = 5000
    var queueSize = 4096

    /// The one that there is: who has set another for all services shall hear of it.
    enum Transport: Sendable { case protobuf }

    /// A name and its value.
    struct Pair: Sendable, Equatable {
        let name: String
        let value: String
    }

    /// Nil where nothing is exported, and so nothing recorded.
    var url: String? {
        isDisabled ? nil : tracesEndpoint?.description ?? endpoint.map { "\($0)/v1/traces" }
    }

    static let rows: [SettingRow<TraceSettings>] = [
        endpoint(
            "otel-exporter-otlp-endpoint", \.endpoint,
            "Where traces go, by OTLP over HTTP: a collector, to which /v1/traces is appended."),
        endpoint(
            "otel-exporter-otlp-traces-endpoint", \.tracesEndpoint,
            "The same as a whole URL, to which nothing is appended."),
        .choice("otel-exporter-otlp-protocol", \.transport, [("http/protobuf", .protobuf)], "How they are sent."),
        SettingRow(
            "otel-exporter-otlp-headers", \.headers, "What goes with each request, such as a key.",
            form: "name=value, with commas between several and %-encoded, at most \(maxPairs)",
            isEnvironmentOnly: true, defaultText: { _ in "none" },
            parse: { pairs($0).flatMap { $0.allSatisfy(\.isHeader) ? $0 : nil } }),
        .integer(
            "otel-exporter-otlp-timeout", \.timeout, in: 1...60_000, "How long one request may take, in milliseconds."),
        .text(
            "otel-service-name", \.serviceName, form: "a name", whenUnset: "the service's own",
            "What the service is called in traces."),
        SettingRow(
            "otel-resource-attributes", \.attributes, "What else is said of the process in traces.",
            form: "name=value, with commas between several and %-encoded, at most \(maxPairs)",
            defaultText: { _ in "none" }, parse: pairs),
        .choice(
            "otel-traces-sampler", \.sampler.kind, TraceSampler.Kind.allCases.map { ($0.rawValue, $0) },
            "Which traces are recorded."),
        SettingRow(
            "otel-traces-sampler-arg", \.sampler.ratio, "The part of all traces that a sampler with a ratio records.",
            form: "a number from 0 to 1", defaultText: { "\($0)" },
            parse: { Double($0).flatMap { (0...1).contains($0) ? $0 : nil } }),
        .integer(
            "otel-bsp-schedule-delay", \.delay, in: 10...60_000,
            "How long spans gather for one request, in milliseconds."),
        .integer(
            "otel-bsp-max-queue-size", \.queueSize, in: 512...65_536,
            "How many spans wait at most; what comes beyond is dropped and counted."),
        SettingRow(
            "otel-sdk-disabled", \.isDisabled, "Records and sends nothing, whatever else is set.",
            form: "true or false",
            defaultText: { "\($0)" }, parse: { ["true": true, "false": false][$0.lowercased()] }),
    ]

    private static func endpoint(
        _ name: String, _ field: any WritableKeyPath<TraceSettings, BaseURL?> & Sendable, _ meaning: String
    ) -> SettingRow<TraceSettings> {
        SettingRow(
            name, field, meaning, form: "an http:// or https:// URL", defaultText: { _ in "none" },
            parse: { BaseURL($0).map(Optional.some) })
    }

    /// As W3C Baggage writes them: `name=value,name=value`, values %-encoded. Nil for anything else.
    private static func pairs(_ text: String) -> [Pair]? {
        let entries = text.split(separator: ",")
        guard entries.count <= maxPairs else { return nil }
        var pairs: [Pair] = []
        for entry in entries {
            let sides = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, let value = sides[1].trimmingCharacters(in: .whitespaces).removingPercentEncoding
            else { return nil }
            let name = sides[0].trimmingCharacters(in: .whitespaces)
            guard (1...FinishedSpan.Limits.bytes).contains(name.utf8.count), value.utf8.count <= 4096 else {
                return nil
            }
            pairs.append(Pair(name: name, value: value))
        }
        return pairs
    }
}

extension TraceSettings.Pair {
    /// Whether HTTP takes it as a header: RFC 9110, 5.6.2 and 5.5.
    fileprivate var isHeader: Bool {
        name.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        } && value.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}
