import Foundation
import Hummingbird
import HummingbirdTesting
import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@testable import SettleServiceKit

@Suite("The document of a service's routes")
struct APIDocumentTests {
    private struct Tea: Decodable {
        let name: String
        let cups: Int?
    }

    private static let cups = APISchema.integer(1...9)
    private static let operations = [
        APIOperation(.get, "/teas", .anyone, "Teas.").taking(.query("limit", .integer(1...5)))
            .answering(.ok, .object(["teas": .array(of: APISchema.object(["name": .text]).named("Tea"))])),
        APIOperation(.post, "/teas/{id}", .token, "Makes one.")
            .reading(Tea.self, .request(["name": .text(1...8)], optional: ["cups": cups]))
            .answering(.created, headers: [.header("Location", .text, isRequired: true)])
            .refusing(.conflict("too-hot", "", retryAfter: 1), .conflict("too-cold", "")),
    ]

    private static func document(_ routes: [(path: String, method: String)]) -> APIDocument {
        APIDocument(APIDescription("test", about: "Tea.", operations: operations), routes: routes)
    }

    @Test("a route without a description is named, and a description without a route")
    func gaps() {
        #expect(Self.document([("/teas", "GET"), ("/teas/{id}", "POST")]).gaps == [])
        let gaps = Self.document([("/teas", "GET"), ("/teas/:id/sip", "PUT")]).gaps
        #expect(gaps.count == 2)
        #expect(gaps.contains { $0.hasPrefix("PUT /teas/{id}/sip is a route without an APIOperation") })
        #expect(gaps.contains("POST /teas/{id} has an APIOperation, but no route"))
    }

    @Test("a description that is there twice is named")
    func twice() {
        let twice = APIDescription("test", about: "", operations: [Self.operations[0], Self.operations[0]])
        #expect(APIDocument(twice, routes: [("/teas", "GET")]).gaps == ["GET /teas is described twice"])
    }

    @Test("what all routes of a kind answer is said of each")
    func answers() throws {
        let json = Self.document([("/teas", "GET"), ("/teas/{id}", "POST")]).json
        let get = try #require(json["paths"]?["/teas"]?["get"])
        #expect(get["responses"]?.keys == ["200", "400", "422", "500", "503"])
        #expect(get["security"] == [])
        let post = try #require(json["paths"]?["/teas/{id}"]?["post"])
        #expect(
            post["responses"]?.keys
                == ["201", "400", "401", "403", "404", "409", "413", "415", "422", "500", "503"])
        #expect(post["security"] == [["token": []]])
        #expect(post["parameters"]?.elements.first?["name"] == "id")
        #expect(json["components"]?["schemas"]?.keys == ["Problem", "Tea"])
    }

    @Test("two problems of one status are told apart, and a header that only one has may be missing")
    func problems() throws {
        let json = Self.document([("/teas", "GET"), ("/teas/{id}", "POST")]).json
        let conflict = try #require(json["paths"]?["/teas/{id}"]?["post"]?["responses"]?["409"])
        let types = conflict["content"]?["application/problem+json"]?["schema"]?["properties"]?["type"]?["enum"]
        #expect(types == ["urn:settle:problems/too-cold", "urn:settle:problems/too-hot"])
        #expect(conflict["headers"]?["Retry-After"]?["required"] == false)
    }

    @Test("a service with a description serves the document, one without does not")
    func served() async throws {
        let bare = try TestService.make()
        try await Application(responder: bare.responder, logger: quiet).test(.router) { client in
            let answer = try await client.execute(uri: "/openapi.json", method: .get)
            #expect(answer.status == .notFound)
        }
        let service = HTTPService(
            try TestService.bootstrap(), checks: [], isOpen: { _ in false },
            description: APIDescription("test", about: "Tea.", operations: [Self.operations[0]])
        ) { open, _ in open.get("teas") { _, _ in Response.empty(.ok) } }
        try await Application(responder: service.responder, logger: quiet).test(.router) { client in
            let answer = try await client.execute(uri: "/openapi.json", method: .get)
            #expect(answer.headers[.contentType] == "application/json")
            let document = try JSONValue(text: String(buffer: answer.body))
            #expect(document["openapi"] == "3.1.0")
            #expect(
                document["paths"]?.keys == ["/health/live", "/health/ready", "/metrics", "/openapi.json", "/teas"])
        }
    }

    @Test("a schema that is not what its type decodes is found")
    func bodies() {
        #expect(DescribedBody.differences(in: Self.operations) == [])
        func differences(_ schema: APISchema) -> [String] {
            DescribedBody.differences(in: [
                APIOperation(.post, "/teas", .anyone, "Makes one.").reading(Tea.self, schema)
            ])
        }
        #expect(differences(.request(["name": .text, "cups": Self.cups])) == ["POST /teas: cups may be left out"])
        #expect(differences(.request(["name": .text])) == ["POST /teas: cups is read, and not in the schema"])
        #expect(!differences(.request([:], optional: ["name": .text, "cups": Self.cups])).isEmpty)
        #expect(!differences(.request(["name": .bool], optional: ["cups": Self.cups])).isEmpty)
        #expect(!differences(.request(["name": .text], optional: ["cups": Self.cups, "lid": .bool])).isEmpty)
    }
}
