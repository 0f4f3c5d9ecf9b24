import AsyncHTTPClient
import SettleCore
import Hummingbird
import Instrumentation
import NIOCore
import NIOHTTP1
import SettleServiceKit
import ServiceLifecycle
import SettleHTTPTestSupport
import Testing

@Suite("HTTP: over a socket", .timeLimit(.minutes(1)))
struct LiveHTTPTests {
    @Test("a chunked body without a length is 413 once it is over 1 MiB, and the connection's next request is served")
    func chunked() async throws {
        try await LiveService.run { url, outbound, _ in
            let chunks = AsyncStream<ByteBuffer> { stream in
                for _ in 0..<20 { stream.yield(ByteBuffer(repeating: UInt8(ascii: " "), count: 65_536)) }
                stream.finish()
            }
            var request = HTTPClientRequest(url: url + "/things")
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .stream(chunks, length: .unknown)
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
            #expect(response.status == .payloadTooLarge)
            #expect(response.headers["Content-Type"] == ["application/problem+json"])
            let client = ServiceClient("test", baseURL: url, token: nil, over: outbound)
            let next = try await client.send(.get, "/health/live")
            #expect(next.status == 200)
        }
    }

    @Test("a trace goes through: in by header, current in the handler, out by the client")
    func trace() async throws {
        // Process-wide, once; no other test depends on it.
        InstrumentationSystem.bootstrap(W3CTraceContext())
        try await LiveService.run { url, outbound, _ in
            let client = ServiceClient("test", baseURL: url, token: nil, over: outbound)
            var context = ServiceContext.topLevel
            context.traceParent = TraceParent(W3CTraceContextTests.valid)
            let seen = try await ServiceContext.withValue(context) {
                try await client.get("/trace", as: [String: String].self)
            }
            let traceParent = try #require(seen["traceparent"].flatMap { TraceParent($0) })
            #expect(traceParent.traceID == context.traceParent?.traceID)
            #expect(traceParent.spanID != context.traceParent?.spanID)
            let fresh = try await client.get("/trace", as: [String: String].self)
            #expect(fresh["traceparent"].flatMap { TraceParent($0) } != nil)
        }
    }

    @Test("a graceful shutdown finishes the request in flight and takes no new one")
    func gracefulShutdown() async throws {
        let (entered, enter) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        try await LiveService.run(more: { routes in
            routes.get("slow") { _, _ in
                enter.yield()
                for await _ in released {}
                return try Response.json(["done": true])
            }
        }) { url, outbound, group in
            let client = ServiceClient("test", baseURL: url, token: nil, over: outbound)
            async let slow = client.get("/slow", as: [String: Bool].self)
            for await _ in entered { break }
            await group.triggerGracefulShutdown()
            var isRefused = false
            for _ in 0..<1000 where !isRefused {
                do {
                    _ = try await client.send(.get, "/health/live")
                    try await Task.sleep(for: .milliseconds(5))
                } catch {
                    isRefused = true
                }
            }
            #expect(isRefused)
            release.finish()
            let finished = try await slow
            #expect(finished == ["done": true])
        }
    }
}
