import Foundation
import SettleTestSupport
import Testing

extension Proof {
    @Suite("What the message centre answers", .timeLimit(.minutes(3)))
    struct CentreContractTests {
        private struct Results: Decodable {
            let results: [String: String]
        }

        private struct Message: Decodable {
            let id: String
            let status: String
            let artist: String
            let sends: Int
            let checks: Int
            let errormsg: String?
        }

        private struct List: Decodable {
            let messages: [Message]
            let counts: [String: Int]
        }

        private func post(_ suite: Suite, _ path: String, _ json: String, status: Int = 200) async throws -> [String:
            String]
        {
            let answer = try await suite.send("POST", .messageCentre, path, json: json, authorized: true)
            #expect(answer.status == status, "\(path): \(answer.text)")
            return (try? answer.decode(Results.self).results) ?? [:]
        }

        private func message(_ suite: Suite, _ id: String) async throws -> Message {
            try await suite.send("GET", .messageCentre, "/messages/\(id)", authorized: true).decode(Message.self)
        }

        private func prepared(_ id: String, msg: String = "{}", artist: String = "order") -> String {
            #"""
            {"messages": [{"id": "\#(id)", "msg": "\#(msg)", "routingKey": "nobody", "exchange": "ex_buying_addpointurse",
                           "paramMap": {"order": 7}, "artist": "\#(artist)"}]}
            """#
        }

        @Test("its operations, each said twice")
        func operations() async throws {
            // Nobody is asked about these for a while.
            try await Suite.withCentre(settings: ["MESSAGE_CHECK_AFTER": "60s"]) { suite in
                let id = UUID().uuidString
                #expect(try await post(suite, "/prepare", prepared(id)) == [id: "prepared"])
                #expect(try await post(suite, "/prepare", prepared(id)) == [id: "known"])
                #expect(try await post(suite, "/prepare", prepared(id, msg: "other")) == [id: "differs"])
                #expect(try await message(suite, id).status == "prepared")
                let ids = #"{"ids": ["\#(id)", "nobody"], "caller": "order", "reason": "a test"}"#
                let confirmed = try await post(suite, "/confirm", ids)
                #expect(confirmed == [id: "confirmed", "nobody": "unknown"])
                #expect(try await post(suite, "/confirm", ids) == confirmed)
                // No queue takes it: tried again, and shown with the reason.
                try await eventually { try await message(suite, id).errormsg?.contains("312") ?? false }
                _ = try await post(suite, "/send", ids, status: 202)
                try await eventually { try await message(suite, id).sends == 1 }
                let ack = #"{"acks": [{"id": "\#(id)", "artist": "order", "status": "rejected", "errormsg": "no"}]}"#
                #expect(try await post(suite, "/ack", ack) == [id: "acknowledged"])
                #expect(try await post(suite, "/ack", ack) == [id: "acknowledged"])
                #expect(try await message(suite, id).status == "rejected")
                #expect(try await post(suite, "/ack", #"{"acks": [{"id": "nobody"}]}"#) == ["nobody": "unknown"])
                let other = UUID().uuidString
                _ = try await post(suite, "/prepare", prepared(other))
                #expect(
                    try await post(suite, "/discard", #"{"ids": ["\#(other)"], "reason": "a test"}"#) == [
                        other: "discarded"
                    ])
                #expect(try await post(suite, "/confirm", #"{"ids": ["\#(other)"]}"#) == [other: "discarded"])
                let list = try await suite.send("GET", .messageCentre, "/messages?limit=1", authorized: true)
                    .decode(List.self)
                #expect(list.messages.map(\.id) == [other] && list.messages.map(\.status) == ["discarded"])
                #expect(list.counts == ["prepared": 0, "confirmed": 0, "sent": 0, "parked": 0])
                for status in ["prepared", "confirmed", "sent", "parked", "finished", "rejected", "discarded"] {
                    let answer = try await suite.send(
                        "GET", .messageCentre, "/messages?status=\(status)", authorized: true)
                    #expect(answer.status == 200)
                }
            }
        }

        @Test("what cannot be meant is refused, and so is who has no token")
        func refusals() async throws {
            try await Suite.withCentre { suite in
                _ = try await post(suite, "/prepare", prepared("x", artist: "http://evil.example"), status: 422)
                _ = try await post(suite, "/prepare", prepared(""), status: 422)
                _ = try await post(suite, "/prepare", #"{"messages": []}"#, status: 422)
                _ = try await post(suite, "/prepare", #"{"messages": 1}"#, status: 422)
                _ = try await post(suite, "/confirm", #"{"ids": [""]}"#, status: 422)
                _ = try await post(suite, "/ack", #"{"acks": [{"id": "a", "status": "pending"}]}"#, status: 422)
                _ = try await post(suite, "/confirm", "{", status: 400)
                for path in ["/prepare", "/confirm", "/ack", "/send", "/discard"] {
                    #expect(try await suite.send("POST", .messageCentre, path, json: "{}").status == 401)
                }
                #expect(try await suite.send("GET", .messageCentre, "/messages").status == 401)
                #expect(try await suite.send("GET", .messageCentre, "/messages/nobody", authorized: true).status == 404)
                #expect(try await suite.send("GET", .messageCentre, "/prepare", authorized: true).status == 405)
                let ready = try #require(try await suite.readiness(.messageCentre))
                #expect(ready.checks == ["postgres": "up", "rabbitmq": "up"])
                let unknown = try await suite.send(
                    "POST", .order, "/messages/check", json: #"{"messages": [{"id": "x", "paramMap": {}}]}"#,
                    authorized: true)
                #expect(unknown.text == #"{"results":{"x":"undecided"}}"#)
            }
        }
    }
}
