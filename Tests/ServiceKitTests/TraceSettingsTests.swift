import Testing

@testable import SettleServiceKit

@Suite("Traces: settings")
struct TraceSettingsTests {
    private func read(_ environment: [String: String]) throws -> TraceSettings {
        try SettingsTable(TraceSettings(), TraceSettings.rows).read(SettingsReader(environment: environment))
    }

    @Test("nothing is exported unless an endpoint is named, or where it is switched off")
    func url() throws {
        #expect(try read([:]).url == nil)
        let collector = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"]
        #expect(try read(collector).url == "http://collector:4318/v1/traces")
        let whole = collector.merging(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://other/here"]) { $1 }
        #expect(try read(whole).url == "https://other/here")
        #expect(try read(whole.merging(["OTEL_SDK_DISABLED": "TRUE"]) { $1 }).url == nil)
    }

    @Test("headers and attributes are lists of names and values, %-encoded")
    func pairs() throws {
        let settings = try read([
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b, x-two = 2",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        ])
        #expect(
            settings.headers == [
                TraceSettings.Pair(name: "api-key", value: "a b"), TraceSettings.Pair(name: "x-two", value: "2"),
            ])
        #expect(settings.attributes == [TraceSettings.Pair(name: "deployment.environment.name", value: "test")])
    }

    @Test(
        "what cannot be meant is refused, by its name and without its value",
        arguments: [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user@host"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://host"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"), ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%0d%0ac"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5"), ("OTEL_TRACES_SAMPLER_ARG", "nan"), ("OTEL_SDK_DISABLED", "maybe"),
        ])
    func refused(name: String, value: String) {
        #expect {
            try read([name: value])
        } throws: { error in
            guard let error = error as? SettingsError else { return false }
            return error.name == name && !"\(error)".contains(value)
        }
    }
}
