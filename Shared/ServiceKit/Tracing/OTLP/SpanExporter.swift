import AsyncHTTPClient
import Foundation
import Logging
import Metrics
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import SettleCore
import Tracing

/// Sends spans to a collector, by OTLP over HTTP.
///
/// In batches: once there is a span, for as long as the settings say or until a batch is full; nobody wakes up while there is
/// none. Whatever the collector does, nobody who ends a span waits for it: what finds no room in the queue, or no collector in
/// time, is dropped and counted (`trace_spans_dropped_total`).
///
/// Listed first, it stops last: the spans of the others' ends go out, too, if that takes no longer than ``flushTime``.
final class SpanExporter: Service {
    /// As many spans are in a request, and about so many bytes.
    static let batch = 512
    private static let maxBytes = 1 << 20
    /// For what is left at the end.
    static let flushTime = Duration.seconds(2)

    let tracer: OTLPTracer
    private let url: String
    private let headers: [TraceSettings.Pair]
    private let timeout: Duration
    private let delay: Duration
    private let resource: TraceResource
    private let logger: Logger
    private let seldom = Seldom(every: .seconds(60))
    private let exported = Counter(label: "trace_spans_exported_total")

    private var queue: SpanQueue { tracer.queue }

    /// Nil where the settings name no collector.
    ///
    /// - Parameter service: its name where the settings give none.
    init?(_ settings: TraceSettings, service: String, logger: Logger) {
        guard let url = settings.url else { return nil }
        self.url = url
        self.logger = logger
        headers = settings.headers
        timeout = .milliseconds(settings.timeout)
        delay = .milliseconds(settings.delay)
        tracer = OTLPTracer(
            sampler: settings.sampler, queue: SpanQueue(capacity: settings.queueSize, batch: Self.batch))
        var attributes = [
            "service.name": settings.serviceName.isEmpty ? service : settings.serviceName,
            "service.instance.id": UUID().uuidString.lowercased(), "telemetry.sdk.name": "settle",
            "telemetry.sdk.language": "swift",
        ]
        for pair in settings.attributes where pair.name != "service.name" || settings.serviceName.isEmpty {
            attributes[pair.name] = pair.value
        }
        resource = TraceResource(attributes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    }

    func run() async throws {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: HTTPClient.Configuration.Timeout(connect: .seconds(2)))
        configuration.httpVersion = .http1Only
        // Or each export would be a span to export.
        configuration.tracing.tracer = nil
        configuration.connectionPool.retryConnectionEstablishment = false
        let http = HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
        await cancelWhenGracefulShutdown { await self.exportUntilCancelled(http) }
        await flush(http)
        drop(queue.close(), because: "shutdown")
        try await http.shutdown()
    }

    private func exportUntilCancelled(_ http: HTTPClient) async {
        // Cancelled, `take` still gives what is there.
        while !Task.isCancelled, !(await queue.some.take()).isEmpty {
            await queue.enough.wait(atMost: delay)
            while !Task.isCancelled {
                let spans = queue.take()
                guard !spans.isEmpty else { break }
                await send(spans, http, mayWait: true)
                // What came meanwhile makes a batch of its own, unless it is a full one.
                if queue.count < Self.batch { break }
            }
            if queue.count > 0 { queue.some.offer(()) }
        }
    }

    /// What is left, without a second try, and no longer than the process may take to end.
    private func flush(_ http: HTTPClient) async {
        let deadline = ContinuousClock.now + Self.flushTime
        while deadline > .now {
            let spans = queue.take()
            guard !spans.isEmpty else { return }
            await send(spans, http, mayWait: false, until: deadline)
        }
    }

    private func send(
        _ spans: [FinishedSpan], _ http: HTTPClient, mayWait: Bool, until deadline: ContinuousClock.Instant? = nil
    ) async {
        var (part, encoded, bytes): ([FinishedSpan], [[UInt8]], Int) = ([], [], 0)
        for span in spans {
            let next = span.encoded
            if !part.isEmpty, bytes + next.count > Self.maxBytes {
                await send(part, encoded, http, mayWait: mayWait, until: deadline)
                (part, encoded, bytes) = ([], [], 0)
            }
            part.append(span)
            encoded.append(next)
            bytes += next.count
        }
        await send(part, encoded, http, mayWait: mayWait, until: deadline)
    }

    private func send(
        _ spans: [FinishedSpan], _ encoded: [[UInt8]], _ http: HTTPClient, mayWait: Bool,
        until deadline: ContinuousClock.Instant?
    ) async {
        let body = resource.request(encoded)
        var attempt = 0
        while true {
            attempt += 1
            let left = deadline.map { max(.milliseconds(1), $0 - .now) } ?? timeout
            let (answer, error) = await post(body, http, timeout: min(timeout, left))
            // What a shutdown has interrupted is tried once more, in the end.
            if mayWait, Task.isCancelled, answer == .none { return queue.putBack(spans) }
            switch ExportStep(after: answer, attempt: attempt, mayWait: mayWait && !Task.isCancelled) {
            case .done: return exported.increment(by: spans.count)
            case .refused: return drop(spans.count, because: "refused", answer, error)
            case .givenUp: return drop(spans.count, because: "unavailable", answer, error)
            case .retry(let wait):
                // Cancelled, it is put back.
                try? await Task.sleep(for: wait)
            }
        }
    }

    private func post(
        _ body: [UInt8], _ http: HTTPClient, timeout: Duration
    ) async -> (ExportAnswer, (any Error)?) {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers = HTTPHeaders([("Content-Type", "application/x-protobuf"), ("User-Agent", "settle")])
        for header in headers { request.headers.replaceOrAdd(name: header.name, value: header.value) }
        request.body = .bytes(body, length: .known(Int64(body.count)))
        do {
            let response = try await http.execute(request, timeout: TimeAmount(timeout), logger: nil)
            // Read, so that the connection serves the next one; what it says is of no use here.
            _ = try await response.body.collect(upTo: 64 << 10)
            let wait = response.headers.first(name: "Retry-After").flatMap { Int($0) }
            return (.status(Int(response.status.code), retryAfter: wait.map { .seconds(max(0, $0)) }), nil)
        } catch {
            return (.none, error)
        }
    }

    private func drop(
        _ count: Int, because reason: String, _ answer: ExportAnswer = .none, _ error: (any Error)? = nil
    ) {
        guard count > 0 else { return }
        Counter(label: "trace_spans_dropped_total", dimensions: [("reason", reason)]).increment(by: count)
        guard seldom.isDue() else { return }
        logger.warning(
            "spans were not exported and are dropped; trace_spans_dropped_total counts them",
            metadata: [
                "spans": "\(count)", "reason": "\(reason)", "answer": "\(answer)",
                "error": "\(error.map { "\($0)" } ?? "none")",
            ])
    }
}
