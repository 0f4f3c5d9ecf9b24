import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import ServiceContextModule
import SettleHTTPTestSupport
import SettlePostgres
import SettleServiceKit
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle
@testable import SettleHTTP

/// What a participant that calls others in turn says over HTTP, and what its caller makes of it.
@Suite(
    "Trees, over HTTP", .serialized, .enabled(if: ParticipantBed.serverURL != nil), .timeLimit(.minutes(1)))
struct TreeTests {
    /// "ann" has others called, who do as they are told; for "bob" they refuse, and for "dan" nobody answers; "cid" calls nobody.
    private static let handlers: [BranchHandler] = {
        let further = FurtherCalls<Take.Request, Take.Answer>(if: { $0.wallet != "cid" }) { request, answer, calls in
            try await calls.caller.call("points", mode: .tcc) { _, _ -> BranchReply<Void> in
                switch request.wallet {
                case "ann": return .done((), enlisted: ["mail"])
                case "bob":
                    return .refused(
                        ServiceClientError.status(
                            409, problemType: "urn:settle:problems/insufficient-points", detail: "not so many",
                            retryAfter: nil))
                default: throw ServiceClientError.timeout
                }
            }
            return answer
        }
        return [.at("take", Take(), then: further), .xa("take", Take(), then: further)]
    }()

    private func headers(_ xid: String, branch: String? = "1") -> HTTPFields {
        var fields = TestService.authorization
        for (field, value) in [
            ("Settle-XID", xid), ("Settle-Mode", "at"), ("Settle-Initiator", "order"), ("Settle-Branch", branch),
        ] {
            if let name = HTTPField.Name(field) { fields[name] = value }
        }
        fields[.contentType] = "application/json"
        return fields
    }

    private func with(
        _ body: @escaping @Sendable (ParticipantBed, any TestClientProtocol) async throws -> Void
    ) async throws {
        try await ParticipantBed.with { bed in
            try await bed.service(migrations: [Take.schema], handlers: Self.handlers) { settle, http in
                try await eventually("up") { settle.migration.isDone }
                try await Application(responder: http.responder).test(.router) { client in
                    try await body(bed, client)
                }
            }
        }
    }

    @Test("whom it has called, that it must be rolled back, and what the other said, are in the answer")
    func alone() async throws {
        try await with { bed, client in
            for (wallet, branch, status, code, enlisted) in [
                ("ann", "1", 200, nil, "mail,points"), ("bob", "2", 409, "insufficient-points", nil),
                ("dan", "2.1", 503, "unavailable", "points"), ("cid", "3", 200, nil, nil),
                // Who does not name its branch does not know what the header means.
                ("bob", nil, 503, "unavailable", nil),
            ] as [(String, String?, Int, String?, String?)] {
                let answer = try await client.execute(
                    uri: "/branches/take", method: .post,
                    headers: headers("x-\(wallet)", branch: branch),
                    body: ByteBuffer(string: #"{"wallet":"\#(wallet)"}"#))
                let comment: Comment = "\(wallet): \(String(buffer: answer.body))"
                #expect(answer.status.code == status, comment)
                #expect(answer.headers[settle: BranchContext.enlistedHeader] == enlisted, comment)
                #expect((answer.headers[settle: BranchContext.rollbackHeader] != nil) == (status >= 400), comment)
                if let code { #expect(try answer.problem().type.hasSuffix("/" + code), comment) }
            }
            #expect(try await bed.texts("SELECT count(*)::text FROM settle.branch WHERE state = 'undecided'") == ["5"])
        }
    }

    @Test("in a group each part that calls others is done, and answered alone, also when it comes again")
    func group() async throws {
        try await with { bed, client in
            func calls(_ wallets: [String]) -> ByteBuffer {
                let calls = wallets.map { wallet in
                    #"{"headers":{"Settle-XID":"g-\#(wallet)","Settle-Mode":"at","Settle-Initiator":"order","Settle-Branch":"1"},"#
                        + #""request":"{\"wallet\":\"\#(wallet)\"}"}"#
                }
                return ByteBuffer(string: #"{"calls":[\#(calls.joined(separator: ","))]}"#)
            }
            for _ in 1...2 {
                let answer = try await client.execute(
                    uri: "/branches/take/group", method: .post, headers: headers("none"),
                    body: calls(["ann", "cid", "bob"]))
                let answers = try JSONDecoder().decode(
                    BranchGroupAnswer.self, from: Data(String(buffer: answer.body).utf8)
                ).answers
                #expect(answers.map(\.status) == [425, 200, 425])
                #expect(answers.map(\.isDone) == [true, nil, true])
            }
            #expect(try await bed.texts("SELECT balance::text FROM wallet ORDER BY name") == ["90", "90"])
            for (wallet, status) in [("ann", 200), ("bob", 409)] {
                for isAgain in [true, false] {
                    var fields = headers("g-\(wallet)")
                    fields[settle: BranchContext.againHeader] = isAgain ? "true" : nil
                    let answer = try await client.execute(
                        uri: "/branches/take", method: .post, headers: fields,
                        body: ByteBuffer(string: #"{"wallet":"\#(wallet)"}"#))
                    #expect(answer.status.code == status)
                }
            }
            #expect(try await bed.texts("SELECT balance::text FROM wallet ORDER BY name") == ["90", "90"])
        }
    }

    @Test(
        "one that is done and goes on alone is sent again by itself; refused then, it must be rolled back all the same")
    func goesOn() async throws {
        let again = Mutex<[String]>([])
        try await LiveService.run(more: { routes in
            routes.post("branches/take/group") { request, context in
                let calls = try await requireJSON(BranchGroup.self, from: request, context: context).calls
                return try Response.json(
                    BranchGroupAnswer(
                        answers: calls.map { _ in
                            .init(status: 425, body: #"{"type":"urn:settle:problems/come-alone"}"#, isDone: true)
                        }))
            }
            routes.post("branches/take") { request, context in
                let body = try await requireJSON([String: Int].self, from: request, context: context)
                again.withLock { $0.append(request.headers[settle: BranchContext.againHeader] ?? "none") }
                // Others come meanwhile, and go together.
                if body["number"] == 0 { try await Task.sleep(for: .milliseconds(15)) }
                if body["number"] == 2 { throw Problem.conflict("sold-out", "no more") }
                var fields: HTTPFields = [.contentType: "application/json"]
                fields[settle: BranchContext.enlistedHeader] = "mail, points"
                return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: "{}")))
            }
        }) { url, outbound, _ in
            let client = ServiceClient("test", baseURL: url, token: TestService.token, over: outbound)
            let branches = BranchClient(client, participant: "stock")
            func call(_ number: Int, _ caller: BranchCaller) async throws {
                var context = ServiceContext.topLevel
                context.branchCaller = caller
                try await ServiceContext.withValue(context) {
                    _ = try await branches.call("take", ["number": number], mode: .tcc, as: [String: Int].self)
                }
            }
            let callers = (0...2).map { _ in
                BranchCaller(xid: XID(), initiator: "order", initiatorName: nil, deadline: .now + .seconds(9))
            }
            async let ahead: Void = call(0, callers[0])
            while again.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(1)) }
            async let well: Void = call(1, callers[1])
            async let badly: Void = call(2, callers[2])
            try await ahead
            try await well
            #expect(callers[1].participants == ["mail", "points", "stock"] && callers[1].doom == nil)
            do {
                try await badly
                Issue.record("it was refused")
            } catch { #expect(error is ServiceClientError) }
            #expect(callers[2].participants == ["stock"] && callers[2].doom != nil)
            #expect(again.withLock { $0 } == ["none", "true", "true"])
        }
    }
}
