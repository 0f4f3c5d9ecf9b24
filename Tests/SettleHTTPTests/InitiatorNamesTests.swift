import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import SettlePostgres
import SettleHTTP
import SettleServiceKit
import Settle
import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@Suite(
    "Who decides, as a participant sees it", .serialized, .enabled(if: ParticipantBed.serverURL != nil),
    .timeLimit(.minutes(1)))
struct InitiatorNamesTests {
    private struct Problem: Decodable {
        let type: String
    }

    private func headers(_ xid: String, _ mode: String, _ initiator: String, name: String? = nil) -> HTTPFields {
        var fields = TestService.authorization
        for (field, value) in [
            ("Settle-XID", xid), ("Settle-Mode", mode), ("Settle-Initiator", initiator),
            ("Settle-Initiator-Name", name),
        ] {
            if let name = HTTPField.Name(field) { fields[name] = value }
        }
        fields[.contentType] = "application/json"
        return fields
    }

    private func take(_ wallet: String) -> ByteBuffer { ByteBuffer(string: #"{"wallet":"\#(wallet)"}"#) }

    @Test("what is remembered is the name, whether the header has that or the address, however written")
    func remembered() async throws {
        try await ParticipantBed.with { bed in
            try await bed.service(migrations: [Take.schema]) { settle, http in
                try await eventually("up") { settle.migration.isDone }
                let url = bed.initiatorURL
                try await Application(responder: http.responder).test(.router) { client in
                    for (xid, mode, wallet, initiator, name) in [
                        ("x1", "at", "ann", url.replacing("http", with: "HTTP") + "/", nil),
                        ("x2", "xa", "bob", "order", nil),
                        ("x3", "xa", "cid", "http://before.test:1", "order"),
                    ] {
                        let answer = try await client.execute(
                            uri: "/branches/take", method: .post, headers: headers(xid, mode, initiator, name: name),
                            body: take(wallet))
                        #expect(answer.status == .ok, "\(String(buffer: answer.body))")
                    }
                }
                #expect(try await bed.texts("SELECT initiator FROM settle.branch WHERE xid = 'x1'") == ["order"])
                #expect(
                    try await bed.texts(
                        """
                        SELECT split_part(gid, ':', 2) || ' ' || split_part(gid, ':', 4) FROM pg_prepared_xacts
                        WHERE database = current_database() ORDER BY 1
                        """) == ["x2 order", "x3 order"])
            }
        }
    }

    @Test("an initiator that is not configured is refused, and nothing is done")
    func refused() async throws {
        try await ParticipantBed.with { bed in
            try await bed.service(migrations: [Take.schema]) { settle, http in
                try await eventually("up") { settle.migration.isDone }
                try await Application(responder: http.responder).test(.router) { client in
                    for (initiator, name) in [
                        ("http://stranger.test", nil), ("billing", nil), (bed.initiatorURL + "/other", nil),
                        ("http://127.0.0.1:99999", nil), ("order@", nil), (bed.initiatorURL, "billing"),
                    ] {
                        let answer = try await client.execute(
                            uri: "/branches/take", method: .post, headers: headers("x1", "at", initiator, name: name),
                            body: take("ann"))
                        #expect(answer.status == .unprocessableContent, "\(initiator)")
                        let problem = try JSONDecoder().decode(
                            Problem.self, from: Data(String(buffer: answer.body).utf8))
                        #expect(problem.type.hasSuffix("/unknown-initiator"))
                    }
                    let open = try await client.execute(
                        uri: "/branches/take", method: .post, headers: [.contentType: "application/json"],
                        body: take("ann"))
                    #expect(open.status == .unauthorized)
                }
                #expect(try await bed.texts("SELECT xid FROM settle.branch").isEmpty)
                #expect(try await bed.texts("SELECT balance::text FROM wallet WHERE name = 'ann'") == ["100"])
            }
        }
    }

    @Test("a stored address of a configured initiator is asked; any other is shown, and decided on by an operator")
    func stored() async throws {
        struct List: Decodable {
            struct Branch: Decodable {
                let xid: String
                let initiator: String
                let unresolved: Bool
            }
            struct Decision: Decodable {
                let xid: String
                let `operator`: String
                let outcome: String
            }
            let branches: [Branch]
            let decisions: [Decision]
        }
        try await ParticipantBed.with { bed in
            try await bed.service(migrations: [Take.schema]) { settle, http in
                try await eventually("up") { settle.migration.isDone }
                for (xid, wallet, initiator) in [
                    ("ours", "ann", bed.initiatorURL), ("lost", "bob", "http://gone.test:1"),
                ] {
                    _ = try await #require(settle.participation).participant.perform(
                        "take", request: Data(#"{"wallet":"\#(wallet)"}"#.utf8),
                        context: BranchContext(xid: try #require(XID(rawValue: xid)), mode: .at, initiator: initiator))
                }
                bed.initiator.say(.commit)
                try await eventually("ours is committed") {
                    try await bed.texts("SELECT xid FROM settle.branch WHERE state = 'committed'") == ["ours"]
                }
                try await Application(responder: http.responder).test(.router) { client in
                    func list() async throws -> List {
                        let answer = try await client.execute(
                            uri: "/transactions", method: .get, headers: TestService.authorization)
                        return try JSONDecoder().decode(List.self, from: Data(String(buffer: answer.body).utf8))
                    }
                    var headers = TestService.authorization
                    headers[.contentType] = "application/json"
                    let fields = headers
                    func decide(_ body: String) async throws -> Int {
                        let answer = try await client.execute(
                            uri: "/transactions/decide", method: .post, headers: fields,
                            body: ByteBuffer(string: body))
                        return answer.status.code
                    }
                    let before = try await list()
                    #expect(before.branches.map(\.xid) == ["lost"])
                    #expect(before.branches.first?.unresolved == true)
                    for (body, status) in [
                        (#"{"xid":"lost","decision":"maybe","operator":"eve","reason":"x"}"#, 422),
                        (#"{"xid":"lost","decision":"abort","operator":"","reason":"x"}"#, 422),
                        (#"{"xid":"lost","decision":"abort","reason":"x"}"#, 422),
                        (#"{"xid":"none","decision":"abort","operator":"eve","reason":"x"}"#, 404),
                        (#"{"xid":"ours","decision":"abort","operator":"eve","reason":"x"}"#, 409),
                        (#"{"xid":"lost","decision":"abort","operator":"eve","reason":"gone for good"}"#, 200),
                        (#"{"xid":"lost","decision":"abort","operator":"eve","reason":"gone for good"}"#, 200),
                        (#"{"xid":"lost","decision":"commit","operator":"eve","reason":"x"}"#, 409),
                    ] {
                        let answered = try await decide(body)
                        #expect(answered == status, "\(body)")
                    }
                    let after = try await list()
                    #expect(after.branches.isEmpty)
                    #expect(after.decisions.map(\.outcome) == ["rolledBack"])
                    #expect(after.decisions.map(\.operator) == ["eve"])
                }
                #expect(try await bed.texts("SELECT balance::text FROM wallet ORDER BY name") == ["90", "100"])
            }
        }
    }
}
