import Testing

@testable import Settle

/// Not a sample: every sequence of events of any length, because the worlds they lead to are finitely many.
@Suite("Global transactions: every sequence of events")
struct ModelTests {
    @Test(
        "all parts end as the decision says, none twice, and no decision changes its mind",
        arguments: [[false], [true], [false, false], [false, true], [true, true], [false, true, true]])
    func invariants(participants: [Bool]) {
        let exploration = Exploration(participants: participants)
        #expect(exploration.finding == nil, "\(exploration.finding.map(\.description) ?? "")")
        // So that a model in which nothing happens does not pass.
        #expect(exploration.worlds > [100, 1_500, 15_000][participants.count - 1])
        print(
            "model: \(participants.count) participants, xa \(participants): \(exploration.worlds) worlds,",
            "\(exploration.steps) steps, all within \(exploration.depth) events")
    }

    /// What a rule is there for: without it some sequence does harm, and the exploration finds it.
    enum Mutant: String, CaseIterable, Sendable {
        case rollbackForgets, lateRequestsAreDone, repeatedRequestsAreDone
        case endingTwiceActsTwice, laterDecisionWins, unknownCommitRollsBack, undecidedTakenForAbort
        case askingLeavesNothing, askingDoesNotWait, memoryIsAnotherTransaction

        var rules: Rules {
            var rules = Rules()
            switch self {
            case .rollbackForgets:
                rules.onDecision = { state, commit in
                    let ending = state.onDecision(commit ? .commit : .rollback)
                    return ending.state == .rolledBack
                        ? .init(state: nil, acts: ending.acts, outcome: .rolledBack) : ending
                }
            case .lateRequestsAreDone: rules.onRequest = { $0 == .rolledBack ? .perform : $0.onRequest }
            case .repeatedRequestsAreDone: rules.onRequest = { $0 == .undecided ? .perform : $0.onRequest }
            case .endingTwiceActsTwice:
                rules.onDecision = { state, commit in
                    let ending = state.onDecision(commit ? .commit : .rollback)
                    return .init(state: ending.state, acts: true, outcome: ending.outcome)
                }
            case .laterDecisionWins:
                rules.onDecision = { _, commit in
                    .init(
                        state: commit ? .committed : .rolledBack, acts: true, outcome: commit ? .committed : .rolledBack
                    )
                }
            case .unknownCommitRollsBack: rules.atEnd = { $0 == .deciding ? .rollBack : $0.atEnd }
            case .undecidedTakenForAbort: rules.commits = { $0 == .commit }
            case .askingLeavesNothing: rules.askingAborts = false
            case .askingDoesNotWait: (rules.askingWaits, rules.askingAborts) = (false, false)
            case .memoryIsAnotherTransaction: rules.remembersWithEffect = false
            }
            return rules
        }
    }

    @Test("without any one of the rules, some sequence does harm", arguments: Mutant.allCases)
    func mutants(mutant: Mutant) throws {
        let finding = try #require(Exploration(participants: [false], rules: mutant.rules).finding)
        print("model: \(mutant.rawValue): \(finding)")
    }
}
