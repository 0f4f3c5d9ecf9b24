import HTTPTypes
import Hummingbird
import Instrumentation
import SettleServiceKit
import SettleTestSupport
import Synchronization
import SettleHTTPTestSupport
import Testing

@Suite("HTTP client", .timeLimit(.minutes(1)))
struct ServiceClientTests {
    @Test("documents there and back")
    func documents() async throws {
        try await LiveService.run { url, outbound, _ in
            let client = ServiceClient("test", baseURL: url + "/", token: nil, over: outbound)
            let sent = TestService.Body(name: "a", count: 7)
            let posted = try await client.post("/things", sent, as: TestService.Body.self)
            #expect(posted == sent)
            let path = "/things/a%2Fb%20%C3%A9%3F"
            let got = try await client.get(path, as: TestService.Body.self)
            #expect(got.name == "a/b é?")
        }
    }

    @Test("the token and the headers of the hook are sent; an answer of any status is an answer")
    func headers() async throws {
        try await LiveService.run(more: { routes in
            routes.get("echo") { request, _ in
                try Response.json(["xid": HTTPField.Name("Settle-XID").flatMap { request.headers[$0] } ?? "none"])
            }
        }) { url, outbound, _ in
            let client = ServiceClient(
                "test", baseURL: url, token: TestService.token, over: outbound, headers: { ["Settle-XID": "x1"] })
            let echoed = try await client.get("/echo", as: [String: String].self)
            #expect(echoed == ["xid": "x1"])
            let overridden = try await client.get("/echo", headers: ["Settle-XID": "x2"], as: [String: String].self)
            #expect(overridden == ["xid": "x2"])
            let put = try await client.send(.put, "/things/x")
            #expect(put.status == 204)
            let stranger = ServiceClient("test", baseURL: url, token: "wrong", over: outbound)
            let refused = try await stranger.send(.put, "/things/x")
            #expect(refused.status == 401)
            #expect(refused.header("www-authenticate") == "Bearer")
        }
    }

    @Test("a problem is an error that carries its type, detail and Retry-After")
    func problems() async throws {
        try await LiveService.run { url, outbound, _ in
            let client = ServiceClient("test", baseURL: url, token: nil, over: outbound)
            let taken = await #expect(throws: ServiceClientError.self) {
                try await client.get("/taken", as: TestService.Body.self)
            }
            #expect(taken?.isProblem("insufficient-stock") == true)
            #expect(taken?.isProblem("locked") == false)
            guard case .status(409, _, "only 2 left", nil)? = taken else {
                Issue.record("not the problem that was sent: \(String(describing: taken))")
                return
            }
            let away = await #expect(throws: ServiceClientError.self) {
                try await client.get("/away", as: TestService.Body.self)
            }
            guard case .status(503, _, _, 3)? = away else {
                Issue.record("not the problem that was sent: \(String(describing: away))")
                return
            }
        }
    }

    @Test("an answer that is not what was asked for, or too long")
    func invalid() async throws {
        var options = OutboundHTTP.Options()
        options.maxResponseBytes = 1000
        try await LiveService.run(
            options: options,
            more: { routes in
                routes.get("long") { _, _ in try Response.json(["x": String(repeating: "x", count: 1000)]) }
            }
        ) { url, outbound, _ in
            let client = ServiceClient("test", baseURL: url, token: nil, over: outbound)
            for path in ["/long", "/health/live"] {
                let error = await #expect(throws: ServiceClientError.self) {
                    try await client.get(path, as: TestService.Body.self)
                }
                guard case .invalidAnswer? = error else {
                    Issue.record("\(path): \(String(describing: error))")
                    return
                }
            }
        }
    }

    @Test("a peer that refuses connections is an error at once, and surely has not seen the call")
    func refused() async throws {
        try await LiveService.run { _, outbound, _ in
            let nobody = ServiceClient(
                "test", baseURL: "http://127.0.0.1:\(try Ports.take())", token: nil, over: outbound,
                timeout: .seconds(30))
            let start = ContinuousClock.now
            let error = await #expect(throws: ServiceClientError.self) { try await nobody.send(.get, "/") }
            #expect(start.duration(to: .now) < .seconds(10))
            guard case .unavailable(_, isUnsent: true)? = error else {
                Issue.record("not a refused connection: \(String(describing: error))")
                return
            }
        }
    }

    @Test("a slow peer is a time-out, and more calls than may wait are refused")
    func slow() async throws {
        let (entered, enter) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        var options = OutboundHTTP.Options()
        options.maxWaiting = 1
        try await LiveService.run(
            options: options,
            more: { routes in
                routes.get("slow") { _, _ in
                    enter.yield()
                    for await _ in released {}
                    return Response.empty(.ok)
                }
            }
        ) { url, outbound, _ in
            let client = ServiceClient("test", baseURL: url, token: nil, over: outbound)
            async let slow = client.send(.get, "/slow", timeout: .milliseconds(500))
            for await _ in entered { break }
            await #expect(throws: ServiceClientError.overloaded) { try await client.send(.get, "/health/live") }
            do {
                _ = try await slow
                Issue.record("a call outlived its deadline")
            } catch {
                #expect(error as? ServiceClientError == .timeout)
            }
            let again = try await client.send(.get, "/health/live")
            #expect(again.status == 200)
            release.finish()
        }
    }

    @Test("before it runs and after it stopped, calls fail as unsent")
    func stopped() async throws {
        var kept: OutboundHTTP?
        try await LiveService.run { _, outbound, _ in kept = outbound }
        for outbound in [OutboundHTTP(logger: quiet), try #require(kept)] {
            let client = ServiceClient("test", baseURL: "http://127.0.0.1:1", token: nil, over: outbound)
            let error = await #expect(throws: ServiceClientError.self) { try await client.send(.get, "/") }
            #expect(error?.isUnsent == true)
        }
    }
}
