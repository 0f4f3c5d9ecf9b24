import Foundation
import SettleTestSupport
import Testing

extension Proof {
    @Suite("The documents of the services", .timeLimit(.minutes(2)))
    struct DocumentTests {
        @Test("each service serves to anyone the document that is checked in")
        func served() async throws {
            try await Suite.withCentre { suite in
                for role in Role.everyone {
                    let answer = try #require(try await suite.get(suite.port(role), "/openapi.json"))
                    #expect(answer.status == 200 && answer.headers["content-type"] == "application/json")
                    let url = URL(filePath: #filePath).deletingLastPathComponent()
                        .appending(path: "../../../docs/openapi/\(role.rawValue).json")
                    let checkedIn = try String(contentsOf: url, encoding: .utf8)
                    #expect(
                        answer.text == checkedIn,
                        "scripts/lib/check-openapi --write \(role.rawValue)=URL, on a suite that runs, writes it anew")
                }
            }
        }
    }
}
