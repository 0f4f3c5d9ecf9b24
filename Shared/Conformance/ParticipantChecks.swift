/// All that a participant is asked.
enum ParticipantChecks {
    typealias Check = ConformanceCheck<ParticipantDialogue>

    /// In the order in which they are done: what is simple first.
    static func all(_ modes: [String]) -> [Check] {
        general + heads(modes) + batches
            + modes.flatMap { mode in (first(mode) + second(mode) + checkBack(mode)).map { $0.named(mode) } }
    }

    // MARK: HTTP

    private static let general: [Check] = [
        Check("H1", "without a token, or with a wrong one, nothing is answered but 401") { dialogue in
            let transaction = await dialogue.begin()
            for token in [Probe.Token.none, .wrong] {
                let mode = dialogue.options.modes.first ?? "tcc"
                try await dialogue.call(
                    headers: dialogue.headers(transaction, mode), body: dialogue.text(nil, transaction), token: token
                ).expect(status: 401)
                for verdict in ["commit", "rollback"] {
                    try await dialogue.probe.send(
                        .post, "/transactions/\(verdict)", try xidsBody([transaction.xid]), token: token
                    ).expect(status: 401)
                }
                try await dialogue.probe.send(.get, "/transactions", token: token).expect(status: 401)
            }
            try await dialogue.expectListed(transaction, false, "after calls that nobody may make")
        },
        Check("H2", "a body that is no JSON, or not what the route takes, is refused") { dialogue in
            for verdict in ["commit", "rollback"] {
                let path = "/transactions/\(verdict)"
                for body in [#"{"xids": ["#, "", "[]", "{}", #"{"xids": "x"}"#, #"{"xids": [1]}"#] {
                    try await dialogue.probe.send(.post, path, body).expectRefused("the body is '\(body)'")
                }
                try await dialogue.probe.send(.post, path, #"{"xids": []}"#, contentType: "text/plain")
                    .expectRefused("the content type is text/plain")
            }
            let transaction = await dialogue.begin()
            try await dialogue.call(
                headers: dialogue.headers(transaction, dialogue.options.modes.first ?? "tcc"), body: "{"
            ).expectRefused("the body is '{'")
            try await dialogue.expectListed(transaction, false, "after a body that is no JSON")
        },
        Check("H4", "an error is a problem document") { dialogue in
            try await dialogue.probe.send(.post, "/transactions/commit", "{").expectProblem()
            try await dialogue.probe.send(.get, "/transactions", token: .none).expectProblem()
        },
        Check("H7", "a field that is not known is ignored") { dialogue in
            let reply = try await dialogue.probe.send(
                .post, "/transactions/commit", #"{"xids": [], "more": {"a": [1]}}"#)
            try reply.expect(status: 200)
        },
    ]

    private static func heads(_ modes: [String]) -> [Check] {
        let mode = modes.first ?? "tcc"
        return [
            Check("P1", "a header that is missing or makes no sense is refused") { dialogue in
                let transaction = await dialogue.begin()
                let right = dialogue.headers(transaction, mode)
                var wrong: [(String, [(String, String)])] = [
                    ("without Settle-XID", right.filter { $0.0 != "Settle-XID" }),
                    ("without Settle-Mode", right.filter { $0.0 != "Settle-Mode" }),
                    ("without an initiator", right.filter { !$0.0.hasPrefix("Settle-Initiator") }),
                ]
                for (name, value) in [
                    ("Settle-XID", "a b"), ("Settle-XID", "a:b"), ("Settle-XID", String(repeating: "x", count: 65)),
                    ("Settle-Mode", "none"), ("Settle-Initiator-Name", String(repeating: "n", count: 91)),
                    ("Settle-Deadline", "soon"), ("Settle-Deadline", "-1"),
                ] {
                    wrong.append(("\(name): \(value)", right.filter { $0.0 != name } + [(name, value)]))
                }
                for (what, headers) in wrong {
                    let reply = try await dialogue.call(headers: headers, body: dialogue.text(nil, transaction))
                    try reply.expect("400, \(what)", reply.status == 400)
                }
                try await dialogue.expectListed(transaction, false, "after heads that make no sense")
            },
            Check("P2", "an initiator that configuration does not know is refused") { dialogue in
                let transaction = await dialogue.begin()
                for value in ["nobody-of-this-name", "http://stranger.invalid:1"] {
                    let headers = dialogue.headers(transaction, mode).filter { !$0.0.hasPrefix("Settle-Initiator") }
                    try await dialogue.call(
                        headers: headers + [("Settle-Initiator", value)], body: dialogue.text(nil, transaction)
                    ).expect(status: 422, code: "unknown-initiator")
                }
                try await dialogue.expectListed(transaction, false, "for an initiator that is not known")
            },
            Check("P9", "a mode that the action does not offer is refused") { dialogue in
                guard let missing = ["at", "tcc", "xa", "saga"].first(where: { !modes.contains($0) }) else {
                    throw Skipped(reason: "the action offers all four")
                }
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, missing).expect(status: 422)
            },
        ]
    }

    private static let batches: [Check] = [
        Check("S1", "0 to 1,000 XIDs in one call, and nothing that is no XID") { dialogue in
            for verdict in ["commit", "rollback"] {
                let none = try await dialogue.end([], verdict)
                guard none.isEmpty else { throw Unmet(expected: "no outcomes for no XIDs", got: "\(none)") }
                let transaction = await dialogue.begin()
                let path = "/transactions/\(verdict)"
                let many = (0...1000).map { "\(transaction.xid)-\($0)" }
                try await dialogue.probe.send(.post, path, try xidsBody(many)).expect(status: 422)
                for text in ["", "a b", "a'b", String(repeating: "x", count: 65)] {
                    try await dialogue.probe.send(.post, path, try xidsBody([transaction.xid, text])).expect(
                        status: 422)
                }
                let outcomes = try await dialogue.end(Array(many.dropLast()), verdict)
                let outcome = verdict == "commit" ? "committed" : "rolledBack"
                guard outcomes.count == 1000, outcomes.values.allSatisfy({ $0 == outcome }) else {
                    throw Unmet(
                        expected: "\(outcome) for each of 1,000 XIDs, told to \(verdict)",
                        got: "\(outcomes.values.count { $0 == outcome }) of them")
                }
            }
        },
        Check("S6", "commit of an XID without a branch: committed") { dialogue in
            try await dialogue.end(await dialogue.begin(), "commit", expect: "committed")
        },
    ]
}

extension ConformanceCheck {
    fileprivate func named(_ mode: String) -> ConformanceCheck { ConformanceCheck(rule, "\(mode): \(name)", body) }
}
