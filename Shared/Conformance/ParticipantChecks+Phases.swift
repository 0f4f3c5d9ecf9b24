extension ParticipantChecks {
    // MARK: First phase

    static func first(_ mode: String) -> [Check] {
        [
            Check("P3", "a request is done, once") { dialogue in
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, mode).expectSuccess()
                try await dialogue.end(transaction, "commit", expect: "committed")
            },
            Check("O1", "an undecided branch is listed, an ended one is not") { dialogue in
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, mode).expectSuccess()
                try await dialogue.expectListed(transaction, true, "after the call")
                try await dialogue.end(transaction, "commit", expect: "committed")
                try await dialogue.expectListed(transaction, false, "after the commit")
            },
            Check(mode == "xa" ? "P5" : "P4", "the same request again changes nothing") { dialogue in
                let transaction = await dialogue.begin()
                let answer = try await dialogue.call(transaction, mode).expectSuccess()
                let done = try await dialogue.look()
                try again(dialogue, try await dialogue.call(transaction, mode), as: answer, mode)
                try await dialogue.expectUnchanged(since: done, "after the same request again")
            },
            Check("P4", "the same request after the commit gets the same answer, and changes nothing") { dialogue in
                let transaction = await dialogue.begin()
                let answer = try await dialogue.call(transaction, mode).expectSuccess()
                try await dialogue.end(transaction, "commit", expect: "committed")
                let done = try await dialogue.look()
                try again(dialogue, try await dialogue.call(transaction, mode), as: answer, "committed")
                try await dialogue.expectUnchanged(since: done, "after the same request again")
                try await dialogue.expectListed(transaction, false, "after the commit")
            },
            Check("P4", "four copies at once: one is done, and a rollback undoes it") { dialogue in
                let before = try await dialogue.look()
                let transaction = await dialogue.begin()
                let answers = try await withThrowingTaskGroup(of: Reply.self) { group in
                    for _ in 0..<4 { group.addTask { try await dialogue.call(transaction, mode) } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                guard let answer = answers.first(where: \.isSuccess) else {
                    throw Unmet(
                        expected: "2xx to one of four copies", got: answers.map(\.short).joined(separator: "; "))
                }
                for other in answers { try again(dialogue, other, as: answer, mode) }
                try await dialogue.end(transaction, "rollback", expect: "rolledBack")
                try await dialogue.expectUnchanged(since: before, "after the rollback")
            },
            Check("P6", "another request under the same XID is refused") { dialogue in
                guard let other = dialogue.options.otherBody else { throw Skipped(reason: "no other body was given") }
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, mode).expectSuccess()
                let done = try await dialogue.look()
                let reply = try await dialogue.call(transaction, mode, body: other)
                if mode == "xa", reply.status == 409, reply.code == "already-prepared" { return }
                try reply.expect(status: 409, code: "transaction-used")
                try await dialogue.expectUnchanged(since: done, "after another request under the same XID")
            },
            Check("P7", "what the business refuses leaves nothing") { dialogue in
                guard let refused = dialogue.options.refusedBody else {
                    throw Skipped(reason: "no refused body was given")
                }
                let before = try await dialogue.look()
                let transaction = await dialogue.begin()
                let reply = try await dialogue.call(transaction, mode, body: refused)
                try reply.expect("409 with a code of its own", reply.status == 409 && reply.code != nil)
                try await dialogue.expectListed(transaction, false, "after a refusal")
                try await dialogue.expectUnchanged(since: before, "after a refusal")
                try await dialogue.end(transaction, "rollback", expect: "rolledBack")
                try await dialogue.expectUnchanged(since: before, "after the rollback of what was refused")
            },
        ]
    }

    /// A copy's answer is the first one's; while prepared (mode `xa`) it may be that it is.
    private static func again(
        _ dialogue: ParticipantDialogue, _ reply: Reply, as answer: Reply, _ mode: String
    ) throws {
        if mode == "xa", reply.status == 409, reply.code == "already-prepared" { return }
        try reply.expect("the answer that the first request got: \(answer.short)", reply.isSuccess)
        try reply.expect("the answer that the first request got: \(answer.short)", reply.canonical == answer.canonical)
    }

    // MARK: Second phase

    static func second(_ mode: String) -> [Check] {
        [
            Check("S3", "commit, and commit again") { dialogue in
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, mode).expectSuccess()
                try await dialogue.end(transaction, "commit", expect: "committed")
                let done = try await dialogue.look()
                try await dialogue.end(transaction, "commit", expect: "committed")
                try await dialogue.expectUnchanged(since: done, "after a second commit")
            },
            Check("S7", "rollback leaves all as it was, and again changes nothing (S3)") { dialogue in
                let before = try await dialogue.look()
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, mode).expectSuccess()
                for time in ["rollback", "second rollback"] {
                    try await dialogue.end(transaction, "rollback", expect: "rolledBack")
                    try await dialogue.expectUnchanged(since: before, "after the \(time)")
                    try await dialogue.expectListed(transaction, false, "after the \(time)")
                }
            },
            Check("S4", "a rollback after the commit changes nothing: committed") { dialogue in
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, mode).expectSuccess()
                try await dialogue.end(transaction, "commit", expect: "committed")
                let done = try await dialogue.look()
                try await dialogue.end(transaction, "rollback", expect: "committed")
                try await dialogue.expectUnchanged(since: done, "after a rollback that came after the commit")
            },
            Check("S4", "a commit after the rollback changes nothing: rolledBack") { dialogue in
                let before = try await dialogue.look()
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, mode).expectSuccess()
                try await dialogue.end(transaction, "rollback", expect: "rolledBack")
                try await dialogue.end(transaction, "commit", expect: "rolledBack")
                try await dialogue.expectUnchanged(since: before, "after a commit that came after the rollback")
            },
            Check("S5", "a rollback without a branch is remembered: a request that comes later is refused") {
                dialogue in
                let before = try await dialogue.look()
                let transaction = await dialogue.begin()
                try await dialogue.end(transaction, "rollback", expect: "rolledBack")
                try await dialogue.call(transaction, mode).expect(status: 409, code: "transaction-over")
                try await dialogue.expectUnchanged(since: before, "after a request that its rollback has overtaken")
                try await dialogue.expectListed(transaction, false, "after a request that its rollback has overtaken")
            },
            Check("P8", "a request after its rollback is refused, and nothing is done") { dialogue in
                let before = try await dialogue.look()
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, mode).expectSuccess()
                try await dialogue.end(transaction, "rollback", expect: "rolledBack")
                try await dialogue.call(transaction, mode).expect(status: 409, code: "transaction-over")
                try await dialogue.expectUnchanged(since: before, "after a request that came after its rollback")
                try await dialogue.expectListed(transaction, false, "after a request that came after its rollback")
            },
            Check("S5", "request and rollback at the same moment: nothing stays") { dialogue in
                for _ in 0..<5 {
                    let before = try await dialogue.look()
                    let transaction = await dialogue.begin()
                    async let reply = dialogue.call(transaction, mode)
                    try await dialogue.end(transaction, "rollback", expect: "rolledBack")
                    let answer = try await reply
                    let isOver = answer.status == 409 && answer.code == "transaction-over"
                    try answer.expect("2xx, or 409 with the code transaction-over", answer.isSuccess || isOver)
                    try await dialogue.end(transaction, "commit", expect: "rolledBack")
                    try await dialogue.expectListed(transaction, false, "after the rollback")
                    try await dialogue.expectUnchanged(since: before, "after the rollback")
                }
            },
            Check("S2", "a batch of those with a branch and those without") { dialogue in
                let (known, unknown) = (await dialogue.begin(), await dialogue.begin())
                try await dialogue.call(known, mode).expectSuccess()
                let outcomes = try await dialogue.end([unknown.xid, known.xid], "commit")
                guard outcomes == [known.xid: "committed", unknown.xid: "committed"] else {
                    throw Unmet(expected: "committed for both", got: "\(outcomes)")
                }
            },
        ]
    }

    // MARK: Check-back

    static func checkBack(_ mode: String) -> [Check] {
        [
            Check(
                "C4", "undecided, an error, an answer without the XID: it waits and asks again; commit: it commits (C3)"
            ) { dialogue in
                let transaction = await dialogue.begin()
                dialogue.initiator.say([.undecided, .failure, .missing, .commit], about: transaction.xid)
                try await dialogue.call(transaction, mode).expectSuccess()
                try await dialogue.eventually("four questions, and no undecided branch then") {
                    let asked = dialogue.initiator.questions(about: transaction.xid).count
                    let isListed = try await dialogue.isListed(transaction)
                    // Asked and not answered yet is no harm; ended before it was told is.
                    if !isListed, dialogue.initiator.questions(about: transaction.xid).count < 4 {
                        throw Unmet(
                            expected: "an undecided branch until it was told", got: "ended after \(asked) questions")
                    }
                    return !isListed
                }
                try await dialogue.end(transaction, "rollback", expect: "committed")
            },
            Check("C2", "before the deadline it only reads, and carries the token (C1)") { dialogue in
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, mode).expectSuccess()
                let question = try await firstQuestion(about: transaction, dialogue)
                guard question.onlyRead else {
                    throw Unmet(expected: #""onlyRead": true"#, got: "a question without it")
                }
                guard question.authorization == "Bearer \(dialogue.options.initiatorToken)" else {
                    throw Unmet(
                        expected: "the bearer token for this initiator",
                        got: question.authorization == nil ? "none" : "another one")
                }
            },
            Check("C2", "after the deadline it asks so that the answer is final; abort: it rolls back (C3)") {
                dialogue in
                let before = try await dialogue.look()
                let transaction = await dialogue.begin()
                try await dialogue.call(transaction, mode, deadline: 1).expectSuccess()
                // It may count the deadline in whole seconds, and ask before that, too.
                try await dialogue.eventually("a question without onlyRead") {
                    dialogue.initiator.questions(about: transaction.xid).contains { !$0.onlyRead }
                }
                dialogue.initiator.say([.abort], about: transaction.xid)
                try await dialogue.eventually("no undecided branch") { try await !dialogue.isListed(transaction) }
                try await dialogue.expectUnchanged(since: before, "after a check-back that was answered abort")
                try await dialogue.end(transaction, "commit", expect: "rolledBack")
            },
        ]
    }

    private static func firstQuestion(
        about transaction: ParticipantDialogue.Transaction, _ dialogue: ParticipantDialogue
    ) async throws -> PlayedInitiator.Question {
        try await dialogue.eventually("a question about the branch at POST /transactions/outcomes") {
            !dialogue.initiator.questions(about: transaction.xid).isEmpty
        }
        return dialogue.initiator.questions(about: transaction.xid)[0]
    }
}
