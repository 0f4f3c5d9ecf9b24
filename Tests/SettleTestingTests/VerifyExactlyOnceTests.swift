import SettlePostgres
import SettleTesting
import Testing

@Suite("verifyExactlyOnce", .serialized, .enabled(if: TestBase.serverURL != nil), .timeLimit(.minutes(2)))
struct VerifyExactlyOnceTests {
    private typealias Credit = CreditApplier.Credit

    private func verify(_ fault: CreditApplier.Fault?, comparing: Compared = .allTables) async throws {
        try await TestBase.with([MigrationSet("credit", [CreditApplier.tables])]) { database in
            try await verifyExactlyOnce(
                in: database, task: { Credit(key: "k\($0)", account: "ann") },
                refused: { Credit(key: "r\($0)", account: "nobody") },
                conflicting: { Credit(key: $0.key, account: "ann", amount: 6) }, comparing: comparing
            ) { CreditApplier($0, fault) }
        }
    }

    @Test("an applier that decides by its primary key, in one transaction, keeps every rule")
    func right() async throws {
        try await verify(nil)
        try await verify(nil, comparing: .rows(of: "SELECT name, balance FROM account", "SELECT key FROM credit"))
    }

    @Test(
        "one that does not is told which rule it breaks",
        arguments: [
            (.sameKeys, .readable), (.refusesInCheck, .readable), (.doesNothing, .applied), (.rejectsAll, .applied),
            (.addsAgain, .copy), (.saysAppliedAgain, .copy), (.wrongAnswerAgain, .copy), (.failsAgain, .copy),
            (.reversesBatches, .batch),
            (.dropsOutcomes, .batch), (.forgetsRefusals, .refusal), (.otherReason, .refusal),
            (.refusesWithEffect, .refusal), (.ignoresContent, .conflict), (.takesConflicts, .conflict),
            (.memoryFirst, .lostBeforeCommit), (.effectFirst, .lostBeforeCommit), (.swallowsErrors, .lostBeforeCommit),
            (.remembersInMemory, .lostAfterCommit), (.looksFirst, .atOnce), (.failsOnConflict, .atOnce),
            (.decidesUnknown, .decided), (.decidesWrongly, .decided),
        ] as [(CreditApplier.Fault, BrokenRule.Rule)])
    func broken(fault: CreditApplier.Fault, rule: BrokenRule.Rule) async throws {
        let broken = await #expect(throws: BrokenRule.self) {
            // Those that keep no content or no refusals cannot be asked about them.
            switch fault {
            case .memoryFirst, .effectFirst, .remembersInMemory, .looksFirst, .failsOnConflict:
                try await TestBase.with([MigrationSet("credit", [CreditApplier.tables])]) { database in
                    try await verifyExactlyOnce(in: database, task: { Credit(key: "k\($0)", account: "ann") }) {
                        CreditApplier($0, fault)
                    }
                }
            default: try await verify(fault)
            }
        }
        #expect(broken?.rule == rule, "\(broken?.description ?? "")")
    }
}
