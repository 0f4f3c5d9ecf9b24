import SettleConformance
import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@Suite("Conformance to the wire protocol", .serialized, .timeLimit(.minutes(3)))
struct ConformanceTests {
    private func results(_ fault: ToyParticipant.Fault?, modes: [String]) async throws -> [ConformanceResult] {
        let (port, initiatorPort) = (try Ports.take(), try Ports.take())
        let toy = ToyParticipant(fault, initiatorURL: "http://127.0.0.1:\(initiatorPort)")
        var conformance = ParticipantConformance(
            url: "http://127.0.0.1:\(port)", token: ToyParticipant.token, action: "take",
            body: #"{"id": "{n}", "amount": 3}"#)
        conformance.otherBody = #"{"id": "{n}", "amount": 4}"#
        conformance.refusedBody = #"{"id": "{n}", "amount": 1000}"#
        conformance.modes = modes
        conformance.port = initiatorPort
        conformance.watch = "/balance"
        conformance.patience = .seconds(2)
        var results: [ConformanceResult] = []
        try await toy.serving(port: port) { results = try await conformance.run() }
        return results
    }

    @Test("a participant that was written from the page keeps every rule")
    func right() async throws {
        let results = try await results(nil, modes: ["tcc", "saga"])
        #expect(results.filter { $0.verdict != .ok }.map(\.description) == [])
        #expect(results.count > 40)
    }

    @Test(
        "one that breaks a rule is told which",
        arguments: [
            (.takesAnyToken, ["H1"]), (.takesAnyHead, ["P1"]), (.takesAnyInitiator, ["P2"]), (.takesAnyMode, ["P9"]),
            (.takesAnyBody, ["H2"]), (.plainErrors, ["H4"]), (.refusesUnknownFields, ["H7"]),
            (.doesCopies, ["P4"]), (.doesCopiesAfterCommit, ["P4"]), (.answersCopiesOtherwise, ["P4"]),
            (.takesOtherRequests, ["P6"]), (.keepsRefused, ["P7"]), (.forgetsEmptyRollbacks, ["S5"]),
            (.performsAfterRollback, ["P8", "S5"]), (.unknownIs404, ["S5", "S6"]), (.unknownCommitIsRolledBack, ["S6"]),
            (.takesManyXIDs, ["S1"]), (.undoesTwice, ["S7", "S4"]), (.leavesSomething, ["S7"]),
            (.changesItsMind, ["S4"]), (.leavesOutUnknown, ["S2"]), (.listsNothing, ["O1"]),
            (.neverAsks, ["C2", "C4"]),
            (.alwaysForGood, ["C2"]), (.asksWithoutToken, ["C2"]), (.guessesOnUndecided, ["C4"]),
            (.guessesOnErrors, ["C4"]), (.commitsAborted, ["C2"]),
        ] as [(ToyParticipant.Fault, [String])])
    func broken(fault: ToyParticipant.Fault, rules: [String]) async throws {
        let failed = Set(try await results(fault, modes: ["tcc"]).filter(\.isFailure).map(\.rule))
        #expect(failed.isSuperset(of: rules), "\(failed.sorted())")
    }

    @Test("nobody there: every check fails, and none hangs")
    func away() async throws {
        let url = "http://127.0.0.1:\(try Ports.take())"
        let initiator = await InitiatorConformance(url: url, token: "token").run()
        #expect(!initiator.isEmpty && initiator.allSatisfy(\.isFailure))
        #expect(initiator[0].description.hasPrefix("FAIL H1 "))
    }
}
