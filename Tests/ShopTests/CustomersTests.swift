import Hummingbird
import HummingbirdTesting
import SettleServiceKit
import SettleHTTPTestSupport
import SettleTestSupport
import ShopContract
import Synchronization
import Testing

@Suite("Customers")
struct CustomersTests {
    /// What the service asks about tokens, and what it is told: alice's is `alices-token`.
    private final class Asked: Sendable {
        let questions = Mutex<[String]>([])

        @Sendable func isTheirs(_ userName: String, _ token: String) throws -> Bool {
            questions.withLock { $0.append("\(userName) \(token)") }
            if userName == "away" { throw TestService.Away() }
            return userName == "alice" && token == "alices-token"
        }
    }

    private func test(
        isTheirs: Customers.Check?, _ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        let customers = Customers(try TestService.bootstrap().settings.token, isTheirs: isTheirs)
        let service = try TestService.make(more: { open in
            open.get("of/:name") { request, context in
                try await customers.caller(of: request).require(try context.pathParameter("name"))
                return Response.empty(.noContent)
            }
            open.get("of-all") { request, _ in
                try await customers.caller(of: request).require(nil)
                return Response.empty(.noContent)
            }
        })
        try await Application(responder: service.responder, logger: quiet).test(.router, body)
    }

    private static func get(
        _ client: any TestClientProtocol, _ path: String, _ authorization: String?
    ) async throws -> TestResponse {
        let headers: HTTPFields = authorization.map { [.authorization: $0] } ?? [:]
        return try await client.execute(uri: path, method: .get, headers: headers)
    }

    @Test("told apart: a user's own token opens what is that user's, and nothing else")
    func toldApart() async throws {
        let asked = Asked()
        try await test(isTheirs: asked.isTheirs) { client in
            #expect(try await Self.get(client, "/of/alice", "Bearer alices-token").status == .noContent)
            let others = try await Self.get(client, "/of/bob", "Bearer alices-token")
            #expect(others.status == .forbidden)
            #expect(try others.problem().type.hasSuffix("/forbidden"))
            let unknown = try await Self.get(client, "/of/nobody", "Bearer alices-token")
            // A user that nobody knows is refused as any other.
            #expect(unknown.status == .forbidden)
            #expect(try unknown.problem().detail == others.problem().detail)
            #expect(try await Self.get(client, "/of-all", "Bearer alices-token").status == .unprocessableContent)
            let away = try await Self.get(client, "/of/away", "Bearer alices-token")
            #expect(away.status == .serviceUnavailable)
            #expect(away.headers[.retryAfter] == "3")
        }
        #expect(
            asked.questions.withLock { $0 } == [
                "alice alices-token", "bob alices-token", "nobody alices-token", "away alices-token",
            ])
    }

    @Test("told apart: without a token it is 401, and nobody is asked")
    func unauthorized() async throws {
        let asked = Asked()
        try await test(isTheirs: asked.isTheirs) { client in
            for path in ["/of/alice", "/of-all"] {
                for header in [nil, "", "Bearer", "Bearer ", "Basic alices-token", "Bearer alices token"] as [String?] {
                    let answer = try await Self.get(client, path, header)
                    #expect(answer.status == .unauthorized)
                    #expect(answer.headers[.wwwAuthenticate] == "Bearer")
                }
            }
        }
        #expect(asked.questions.withLock { $0 }.isEmpty)
    }

    @Test("told apart: an operator may all, and nobody is asked about that token")
    func operators() async throws {
        let asked = Asked()
        try await test(isTheirs: asked.isTheirs) { client in
            for token in [TestService.token, TestService.olderToken] {
                for path in ["/of/alice", "/of/nobody", "/of/away", "/of-all"] {
                    let answer = try await Self.get(client, path, "Bearer \(token)")
                    #expect(answer.status == .noContent)
                }
            }
        }
        #expect(asked.questions.withLock { $0 }.isEmpty)
    }

    @Test("not told apart: anybody may, whatever the header")
    func open() async throws {
        try await test(isTheirs: nil) { client in
            for header in [nil, "Bearer wrong", "Bearer \u{7F}", "Basic x"] as [String?] {
                for path in ["/of/alice", "/of-all"] {
                    let answer = try await Self.get(client, path, header)
                    #expect(answer.status == .noContent)
                }
            }
        }
    }

    private static func areToldApart(_ value: String?) throws -> Bool {
        let environment = value.map { ["SETTLE_CUSTOMERS": $0] } ?? [:]
        return try CustomerSettings.table.read(SettingsReader(environment: environment)).areToldApart
    }

    @Test("the setting is on or off, and nothing else")
    func setting() throws {
        for value in [nil, "", "off"] as [String?] {
            #expect(try Self.areToldApart(value) == false)
        }
        #expect(try Self.areToldApart("on"))
        for value in ["true", "yes", "1", "ON", "On", " on", "on,off", "0"] {
            let error = #expect(throws: SettingsError.self) { try Self.areToldApart(value) }
            #expect(error == SettingsError("SETTLE_CUSTOMERS", "on or off is expected"))
        }
    }
}
