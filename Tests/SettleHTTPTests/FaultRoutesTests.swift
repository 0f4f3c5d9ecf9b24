import Foundation
import HTTPTypes
import Settle
import SettleHTTPTestSupport
import SettleServiceKit
import SettleTestSupport
import Testing

@testable import SettleHTTP

@Suite("Faults by HTTP", .timeLimit(.minutes(1)))
struct FaultRoutesTests {
    private struct State: Decodable {
        let points: [String]
    }

    private struct Plan: Encodable {
        let faults: String
        let seconds: Int
    }

    @Test("where nobody has said so there are no routes")
    func off() throws {
        #expect(FaultRoutes(.none, logger: quiet) == nil)
        #expect(FaultRoutes(try Failpoints("a=throw", points: ["a"]), logger: quiet) == nil)
    }

    @Test("a fault is planned for a while, in place of others, and taken back; what there is not is refused")
    func plans() async throws {
        let failpoints = try Failpoints("", switchable: ["here", "there"])
        let routes = try #require(FaultRoutes(failpoints, logger: quiet))
        try await LiveService.run(more: { routes.add(to: $0) }) { url, outbound, _ in
            let client = ServiceClient("service", baseURL: url, token: nil, over: outbound)
            let state = try client.decode(try await client.send(.get, "/faults"), as: State.self)
            #expect(state.points == ["here", "there"])
            func plan(_ faults: String, _ seconds: Int = 60) async throws -> Int {
                try await client.send(.put, "/faults", Plan(faults: faults, seconds: seconds), timeout: .seconds(5))
                    .status
            }
            #expect(try await plan("here=throw") == 202)
            #expect(throws: Failpoints.Injected.self) { try failpoints.reach("here") }
            #expect(try await plan("there=throw@1") == 202)
            try failpoints.reach("here")
            #expect(throws: Failpoints.Injected.self) { try failpoints.reach("there") }
            #expect(try await plan("") == 202)
            try failpoints.reach("there")
            #expect(try await plan("nowhere=throw") == 422)
            #expect(try await plan("here=throw", 61) == 422)
            #expect(try await plan("here=throw", 0) == 422)
        }
    }
}
