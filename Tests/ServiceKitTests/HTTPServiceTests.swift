import SettleCore
import Hummingbird
import HummingbirdTesting
import SettleServiceKit
import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@Suite("HTTP: what is answered")
struct HTTPServiceTests {
    private func test(
        _ service: HTTPService? = nil, _ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        let service = try service ?? TestService.make()
        try await Application(responder: service.responder, logger: quiet).test(.router, body)
    }

    /// Asks, and checks that the answer is a problem document of that status.
    @discardableResult
    private static func problem(
        _ client: any TestClientProtocol, _ uri: String, method: HTTPRequest.Method = .get, headers: HTTPFields = [:],
        body: String? = nil, is status: HTTPResponse.Status
    ) async throws -> (TestService.Document, HTTPFields) {
        let response = try await client.execute(
            uri: uri, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
        #expect(response.status == status)
        #expect(response.headers[.contentType] == "application/problem+json")
        let document = try response.problem()
        #expect(document.status == status.code)
        #expect(!document.title.isEmpty)
        #expect(document.type.contains(":"))
        return (document, response.headers)
    }

    @Test("JSON in and out")
    func success() async throws {
        try await test { client in
            let response = try await client.execute(
                uri: "/things", method: .post, headers: TestService.json,
                body: ByteBuffer(string: #"{"name":"a/b","count":1}"#))
            #expect(response.status == .created)
            #expect(response.headers[.contentType] == "application/json")
            #expect(response.headers[.location] == "/things/a/b")
            #expect(try response.thing() == TestService.Body(name: "a/b", count: 1))
            let head = try await client.execute(uri: "/things/x", method: .head)
            #expect(head.status == .ok)
        }
    }

    @Test("path parameters are percent-decoded, and what cannot be a name is 404")
    func pathParameters() async throws {
        try await test { client in
            let response = try await client.execute(uri: "/things/a%20%C3%A9", method: .get)
            #expect(try response.thing() == TestService.Body(name: "a é", count: 50))
            for path in [
                "/things/a%00b", "/things/%ff", "/things/\(String(repeating: "x", count: 256))", "/numbers/abc",
                "/numbers/-1", "/numbers/99999999999999999999",
            ] {
                try await Self.problem(client, path, is: .notFound)
            }
            let id = try await client.execute(uri: "/numbers/9223372036854775807", method: .get)
            #expect(id.status == .ok)
        }
    }

    @Test("unknown paths are 404, wrong methods 405 with Allow")
    func routing() async throws {
        try await test { client in
            let (document, _) = try await Self.problem(client, "/nowhere", is: .notFound)
            #expect(document.type.hasSuffix("/not-found"))
            for method in [HTTPRequest.Method.delete, .patch, .options, .trace, HTTPRequest.Method("BREW")] {
                guard let method else { continue }
                let (_, headers) = try await Self.problem(client, "/things/x", method: method, is: .methodNotAllowed)
                #expect(headers[.allow] == "GET, HEAD, PUT")
            }
            let (_, headers) = try await Self.problem(client, "/things", is: .methodNotAllowed)
            #expect(headers[.allow] == "POST")
            try await Self.problem(client, "/health/live", method: .post, is: .methodNotAllowed)
        }
    }

    @Test("where too much waits already: 503, and when to come again")
    func full() async throws {
        let service = try TestService.make(more: { open in
            open.get("full") { _, _ -> Response in throw BatcherFull() }
        })
        try await test(service) { client in
            let (_, headers) = try await Self.problem(client, "/full", is: .serviceUnavailable)
            #expect(headers[.retryAfter] == "1")
        }
    }

    @Test("a body over 1 MiB is 413")
    func tooLarge() async throws {
        try await test { client in
            let body = #"{"name":""# + String(repeating: "x", count: 1 << 20) + #"","count":1}"#
            try await Self.problem(
                client, "/things", method: .post, headers: TestService.json, body: body, is: .contentTooLarge)
            let exact = String(repeating: " ", count: (1 << 20) - 22) + #"{"name":"x","count":1}"#
            let response = try await client.execute(
                uri: "/things", method: .post, headers: TestService.json, body: ByteBuffer(string: exact))
            #expect(response.status == .created)
        }
    }

    @Test("what is wrong with a body")
    func body() async throws {
        try await test { client in
            try await Self.problem(
                client, "/things", method: .post, headers: [.contentType: "text/plain"], body: "{}",
                is: .unsupportedMediaType)
            try await Self.problem(
                client, "/things", method: .post, headers: TestService.json, body: "{", is: .badRequest)
            try await Self.problem(client, "/things", method: .post, headers: TestService.json, is: .badRequest)
            let (missing, _) = try await Self.problem(
                client, "/things", method: .post, headers: TestService.json, body: #"{"name":"x"}"#,
                is: .unprocessableContent)
            #expect(missing.detail == "count is missing")
            let (long, _) = try await Self.problem(
                client, "/things", method: .post, headers: TestService.json, body: #"{"name":"","count":1}"#,
                is: .unprocessableContent)
            #expect(long.detail == "name must have 1 to 64 characters")
        }
    }

    @Test(
        "query parameters",
        arguments: ["limit=", "limit=0", "limit=201", "limit=x", "limit=1.5", "limit=99999999999999999999"])
    func query(query: String) async throws {
        try await test { client in
            let (document, _) = try await Self.problem(client, "/things/x?\(query)", is: .unprocessableContent)
            #expect(document.detail == "limit must be a whole number from 1 to 200")
            let response = try await client.execute(uri: "/things/x?limit=200&other=1", method: .get)
            #expect(try response.thing() == TestService.Body(name: "x", count: 200))
        }
    }

    @Test(
        "internal routes need the token",
        arguments: [
            nil, "", "Bearer", "Bearer ", "Bearer wrong", "Bearer test-token-012345678",
            "Bearer test-token-01234567890",
            "Basic test-token-0123456789", "Bearer older-token-012345678", "Bearer test-token-0123456789,older-token",
            "Bearer test-token-0123456789,older-token-0123456789",
        ]
            as [String?])
    func unauthorized(header: String?) async throws {
        try await test { client in
            let headers: HTTPFields = header.map { [.authorization: $0] } ?? [:]
            let (document, fields) = try await Self.problem(
                client, "/things/x", method: .put, headers: headers, is: .unauthorized)
            #expect(fields[.wwwAuthenticate] == "Bearer")
            #expect(document.type.hasSuffix("/unauthorized"))
        }
    }

    @Test("with the token they answer, and with any other that is accepted")
    func authorized() async throws {
        try await test { client in
            for value in [
                "Bearer test-token-0123456789", "bearer test-token-0123456789", "BEARER  test-token-0123456789",
                "Bearer older-token-0123456789",
            ] {
                let response = try await client.execute(
                    uri: "/things/x", method: .put, headers: [.authorization: value])
                #expect(response.status == .noContent)
            }
        }
    }

    @Test("errors from below are mapped, or hidden")
    func errors() async throws {
        try await test { client in
            let (away, headers) = try await Self.problem(client, "/away", is: .serviceUnavailable)
            #expect(headers[.retryAfter] == "3")
            #expect(away.detail == "the database is away")
            let (broken, _) = try await Self.problem(client, "/broken", is: .internalServerError)
            #expect(broken.detail?.lowercased().contains("file") == false)
            let (taken, _) = try await Self.problem(client, "/taken", is: .conflict)
            #expect(taken.type.hasSuffix("/insufficient-stock"))
            #expect(taken.title == "Insufficient stock")
            #expect(taken.detail == "only 2 left")
        }
    }

    @Test("before it may serve: 503 for its own routes, health and metrics as ever")
    func closed() async throws {
        try await test(try TestService.make(isOpen: { _ in false })) { client in
            let (_, headers) = try await Self.problem(client, "/things/x", is: .serviceUnavailable)
            #expect(headers[.retryAfter] == "1")
            for path in ["/health/live", "/health/ready", "/metrics"] {
                let response = try await client.execute(uri: path, method: .get)
                #expect(response.status == .ok)
            }
        }
    }

    @Test("beyond the limit of requests in flight: 503 at once, and served again after")
    func admission() async throws {
        let (entered, enter) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        let service = try TestService.make(
            limits: HTTPLimits(maxInFlight: 1),
            more: { routes in
                routes.get("slow") { _, _ in
                    enter.yield()
                    for await _ in released {}
                    return Response.empty(.ok)
                }
            })
        try await test(service) { client in
            async let slow = client.execute(uri: "/slow", method: .get)
            for await _ in entered { break }
            let (_, headers) = try await Self.problem(client, "/things/x", is: .serviceUnavailable)
            #expect(headers[.retryAfter] == "1")
            let live = try await client.execute(uri: "/health/live", method: .get)
            #expect(live.status == .ok)
            release.finish()
            #expect(try await slow.status == .ok)
            let again = try await client.execute(uri: "/things/x", method: .get)
            #expect(again.status == .ok)
        }
    }
}
