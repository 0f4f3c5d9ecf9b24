import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    /// docs/break-it.md: everything that can be switched, and what the verdict says.
    @Suite("Break it", .timeLimit(.minutes(8)))
    struct FaultTests {
        private static func tryAll(
            _ bed: FaultBed, _ switches: [FaultBed.Switch], seconds: Int = 3
        ) async throws {
            for fault in switches {
                let trial = try await bed.breaks(fault.id, seconds: seconds)
                #expect(trial.isWell == true, "\(trial.text)")
                #expect(trial.books?.agree == true && trial.hitAt != nil, "\(trial.text)")
                #expect(trial.orders.placed + trial.orders.refused == trial.orders.sent, "\(trial.text)")
                let isRestarted = fault.kind == "failpoint" || fault.id.hasPrefix("kill")
                #expect(!isRestarted || trial.counts("restarts", of: fault.service) == 1, "\(trial.text)")
                print("fault: \(trial.text)")
            }
        }

        @Test(
            "a service is killed at each of its points: the verdict names what mended it, and the books agree",
            arguments: [Role.order, .stock, .userPoints, .messageCentre])
        func points(role: Role) async throws {
            try await FaultBed.with { bed in
                let switches = try await bed.switches().filter { $0.kind == "failpoint" && $0.service == role.rawValue }
                #expect(switches.count >= 10)
                try await Self.tryAll(bed, switches)
            }
        }

        @Test("every service is killed, restarted and paused; each server is away; the network is slow and cut")
        func processesAndNetwork() async throws {
            try await FaultBed.with { bed in
                let switches = try await bed.switches()
                #expect(switches.allSatisfy { !($0.says["en"] ?? "").isEmpty && !($0.says["zh"] ?? "").isEmpty })
                #expect(switches.count { $0.kind == "process" } == 12)
                #expect(switches.count { $0.kind == "network" } == 8)
                try await Self.tryAll(bed, switches.filter { $0.kind != "failpoint" })
            }
        }

        @Test("a verdict says what was on its way and what mended it; wrong rows in a book make it a bad one")
        func verdicts() async throws {
            try await FaultBed.with { bed in
                let suite = bed.suite
                let killed = try await bed.breaks("failpoint:order:order.committed")
                #expect(killed.isWell == true && killed.counts("republished", of: "order") > 0, "\(killed.text)")
                #expect((killed.inFlight ?? [:]).values.reduce(0, +) > 0, "\(killed.text)")

                for (corruption, kind) in [
                    (Corruption.pointsRowLost, "user-points, order"), (.takenRowLost, "stock, order"),
                ] {
                    let trial = try await bed.breaks("pause:stock") {
                        let victims = "SELECT max(id::text) FROM orders WHERE \(corruption.victims ?? "false")"
                        let before = try await suite.rows(.order, victims).first?.decode(String?.self, at: 0)
                        try await eventually("an order of the trial has settled") {
                            let last = try await suite.rows(.order, victims).first?.decode(String?.self, at: 0)
                            guard let last, last != before else { return false }
                            _ = try await corruption.happen(to: last, in: suite)
                            return true
                        }
                    }
                    #expect(trial.isWell == false && trial.books?.agree == false, "\(trial.text)")
                    #expect(trial.books?.findings.contains { $0.hasPrefix(kind) } == true, "\(trial.text)")
                }
            }
        }

        @Test("one thing at a time, within bounds, for whoever has the token")
        func refusals() async throws {
            try await FaultBed.with { bed in
                #expect(try await bed.ask("GET", "/switches", token: "not-the-token-0123").status == 401)
                for role in Role.everyone {
                    #expect(try await bed.suite.send("GET", role, "/faults").status == 401)
                    #expect(try await bed.suite.send("POST", role, "/faults/process", json: "{}").status == 401)
                    for (method, path, json) in [
                        ("PUT", "/faults", #"{"faults":"inbox.commited=kill","seconds":5}"#),
                        ("PUT", "/faults", #"{"faults":"inbox.committed=kill","seconds":61}"#),
                        ("POST", "/faults/process", #"{"action":"burn"}"#),
                        ("POST", "/faults/process", #"{"action":"pause","seconds":61}"#),
                    ] {
                        let answer = try await bed.suite.send(method, role, path, json: json, authorized: true)
                        #expect(answer.status == 422, "\(role) \(path) \(json): \(answer.text)")
                    }
                }
                for json in [
                    #"{"switch":"kill:everybody"}"#, #"{"switch":"slow","orders":201}"#,
                    #"{"switch":"slow","seconds":61}"#,
                ] {
                    #expect(try await bed.ask("POST", "/trials", json: json).status == 422, "\(json)")
                }
                let trial = try await bed.breaks("restart:stock", orders: 3) {
                    let second = try await bed.ask("POST", "/trials", json: #"{"switch":"slow"}"#)
                    #expect(second.status == 409, "\(second.text)")
                }
                #expect(trial.isWell == true, "\(trial.text)")
                #expect(try await bed.ask("GET", "/trials/\(UUID())").status == 404)
            }
        }

        @Test("the agent serves the document that is checked in, and answers as it says")
        func documented() async throws {
            try await FaultBed.with { bed in
                let served = try await bed.ask("GET", "/openapi.json")
                let url = URL(filePath: #filePath).deletingLastPathComponent()
                    .appending(path: "../../../docs/openapi/fault-agent.json")
                let checkedIn = try String(contentsOf: url, encoding: .utf8)
                #expect(
                    served.text == checkedIn,
                    "scripts/lib/check-openapi --write fault-agent=URL, on a suite with --faults, writes it anew")
                let document = try AgentDocument(served.text)
                let trial = try await bed.breaks("kill:stock", orders: 6)
                for (path, template) in [
                    ("/switches", "/switches"), ("/trials", "/trials"), ("/trials/\(trial.id)", "/trials/{id}"),
                ] {
                    let answer = try await bed.ask("GET", path)
                    #expect(try document.differences(in: answer.text, path: template) == [])
                    // What is compared can differ.
                    let other = try document.differences(in: #"{"other":1}"#, path: template)
                    #expect(other.contains("\(template): other is not named"))
                }
            }
        }

        @Test("where nobody has switched it on there is nothing: 404 by every service, with the token too")
        func never() async throws {
            try await Suite.with(centre: true) { suite in
                for role in Role.everyone {
                    for (method, path) in [("GET", "/faults"), ("PUT", "/faults"), ("POST", "/faults/process")] {
                        let answer = try await suite.send(
                            method, role, path, json: method == "GET" ? nil : "{}", authorized: true)
                        #expect(answer.status == 404, "\(role) \(method) \(path): \(answer.text)")
                    }
                }
                #expect(try await suite.send("GET", .order, "/faults.js").status == 404)
                let begun = try await suite.send("POST", .order, "/session", json: #"{"token":"\#(suite.token)"}"#)
                let cookie = try #require(begun.headers["set-cookie"]?.prefix { $0 != ";" })
                let answer = try await suite.send(
                    "GET", .order, "/operate/fault-agent/switches", headers: ["Cookie": String(cookie)])
                #expect(answer.status == 404, "\(answer.text)")
            }
        }
    }
}
