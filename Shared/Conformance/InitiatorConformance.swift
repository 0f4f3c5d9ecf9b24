import Foundation
import Synchronization

/// Holds an initiator of global transactions against docs/wire-protocol.md: what can be asked of it from outside.
///
/// It asks about XIDs that nobody has made, so nothing of the initiator's own is touched; the aborts that it notes are
/// forgotten after its time of retention.
public struct InitiatorConformance: Sendable {
    /// Base URL of the initiator.
    public var url: String
    /// What its internal routes accept.
    public var token: String

    /// Nothing is asked yet.
    public init(url: String, token: String) {
        self.url = url
        self.token = token
    }

    /// Does all checks, one after the other; a few seconds.
    ///
    /// - Parameter report: is told of each at once.
    public func run(report: @Sendable (ConformanceResult) -> Void = { _ in }) async -> [ConformanceResult] {
        let dialogue = InitiatorDialogue(probe: Probe(baseURL: url, token: token))
        var results: [ConformanceResult] = []
        for check in InitiatorDialogue.checks {
            let result = await check.run(dialogue)
            report(result)
            results.append(result)
        }
        return results
    }
}

/// What the checks say to the initiator.
struct InitiatorDialogue: Sendable {
    let probe: Probe
    private static let path = "/transactions/outcomes"

    private func ask(_ xids: [String], onlyRead: Bool? = nil) async throws -> [String: String] {
        try await probe.send(.post, Self.path, try xidsBody(xids, onlyRead: onlyRead)).expect(status: 200)
            .decode(Outcomes.self).outcomes
    }

    private func expect(_ xid: String, _ words: [String], onlyRead: Bool? = nil, _ when: String) async throws {
        let word = try await ask([xid], onlyRead: onlyRead)[xid]
        guard let word, words.contains(word) else {
            throw Unmet(expected: "\(words.joined(separator: " or ")) \(when)", got: word ?? "no outcome for the XID")
        }
    }

    /// One that nobody has made: a UUID as others make them, of no version that says who did, or no UUID at all.
    private static func strangers() -> [String] {
        let uuid = UUID().uuidString.lowercased()
        return [uuid, "\(uuid.prefix(14))7\(uuid.dropFirst(15))", "conformance_\(uuid.prefix(8))", "X-\(uuid)-9"]
    }

    static let checks: [ConformanceCheck<InitiatorDialogue>] = [
        ConformanceCheck("H1", "without a token, or with a wrong one, nothing is answered but 401") { dialogue in
            for token in [Probe.Token.none, .wrong] {
                try await dialogue.probe.send(.post, path, try xidsBody(strangers()), token: token).expect(status: 401)
            }
        },
        ConformanceCheck("H2", "a body that is no JSON, or not what the route takes, is refused") { dialogue in
            for body in [
                #"{"xids": ["#, "", "[]", "{}", #"{"xids": "x"}"#, #"{"xids": [1]}"#,
                #"{"xids": [], "onlyRead": "yes"}"#,
            ] {
                try await dialogue.probe.send(.post, path, body).expectRefused("the body is '\(body)'")
            }
            try await dialogue.probe.send(.post, path, #"{"xids": []}"#, contentType: "text/plain")
                .expectRefused("the content type is text/plain")
        },
        ConformanceCheck("H4", "an error is a problem document") { dialogue in
            try await dialogue.probe.send(.post, path, "{").expectProblem()
            try await dialogue.probe.send(.post, path, "{}", token: .none).expectProblem()
        },
        ConformanceCheck("H7", "a field that is not known is ignored") { dialogue in
            try await dialogue.probe.send(.post, path, #"{"xids": [], "more": {"a": [1]}}"#).expect(status: 200)
        },
        ConformanceCheck("I2", "an XID that nobody knows is aborted, asked twice the same (I4)") { dialogue in
            for xid in strangers() {
                for time in ["the first time", "the second time"] {
                    try await dialogue.expect(xid, ["abort"], time)
                }
                try await dialogue.expect(xid, ["abort"], onlyRead: true, "once it was aborted")
            }
        },
        ConformanceCheck("I3", "a question that only reads commits nothing, and what it aborts stays aborted (I4)") {
            dialogue in
            for xid in strangers() {
                let first = try await dialogue.ask([xid], onlyRead: true)[xid]
                guard let first, ["abort", "undecided"].contains(first) else {
                    throw Unmet(expected: "abort or undecided", got: first ?? "no outcome for the XID")
                }
                if first == "abort" { try await dialogue.expect(xid, ["abort"], onlyRead: true, "as before") }
                try await dialogue.expect(xid, ["abort"], "when the question may end it")
            }
        },
        ConformanceCheck("I4", "asked in eight requests at once, all say the same") { dialogue in
            let xids = strangers()
            try await withThrowingTaskGroup(of: [String: String].self) { group in
                for _ in 0..<8 { group.addTask { try await dialogue.ask(xids) } }
                for try await outcomes in group {
                    guard xids.allSatisfy({ outcomes[$0] == "abort" }) else {
                        throw Unmet(expected: "abort for each", got: "\(outcomes)")
                    }
                }
            }
        },
        ConformanceCheck("I6", "every XID is in the answer; 0 to 1,000 in one call, and nothing that is no XID") {
            dialogue in
            let none = try await dialogue.ask([])
            guard none.isEmpty else { throw Unmet(expected: "no outcomes for no XIDs", got: "\(none)") }
            let prefix = "conformance-\(UUID().uuidString.prefix(8))"
            let many = (0...1000).map { "\(prefix)-\($0)" }
            try await dialogue.probe.send(.post, path, try xidsBody(many)).expect(status: 422)
            for text in ["", "a b", "a'b", String(repeating: "x", count: 65)] {
                try await dialogue.probe.send(.post, path, try xidsBody([prefix, text])).expect(status: 422)
            }
            let outcomes = try await dialogue.ask(many.prefix(999) + [many[0]])
            guard outcomes.count == 999, outcomes.values.allSatisfy({ $0 == "abort" }) else {
                throw Unmet(
                    expected: "abort for each of 1,000 XIDs, of which two are the same",
                    got: "\(outcomes.values.count { $0 == "abort" }) of them")
            }
        },
    ]
}
