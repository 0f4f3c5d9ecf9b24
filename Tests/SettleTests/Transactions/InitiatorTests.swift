import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

@testable import Settle

@Suite("An initiator", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct InitiatorTests {
    struct Trouble: Error {}

    /// Runs the initiator's own loops beside `body`.
    private func running(_ bed: TransactionBed, _ body: () async throws -> Void) async throws {
        try await serving([bed.initiator]) { try await body() }
    }

    @Test("its commit is the decision: all parts become final, and nothing is left", arguments: BranchMode.local)
    func commits(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await running(bed) {
                let xid = try await bed.initiator.run { transaction in
                    try await bed.call(30, from: "ann", mode, transaction)
                    try await bed.decide(transaction)
                    return transaction.xid
                }
                #expect(try await bed.decision(xid) == "commit")
                try await bed.awaitNothingLeft()
                #expect(try await bed.wallet("ann") == .init(70))
                try await bed.awaitAcknowledged(1)
            }
        }
    }

    @Test(
        "when its work fails after the parts are done, they are undone before it says so",
        arguments: BranchMode.local)
    func throwsAfterwards(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            await #expect(throws: Trouble.self) {
                try await bed.initiator.run { transaction in
                    try await bed.call(30, from: "ann", mode, transaction)
                    throw Trouble()
                }
            }
            #expect(try await bed.wallet("ann") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("when it returns without a decision, the parts are undone and its caller hears of it")
    func noDecision() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            await #expect(throws: TransactionUndecided.self) {
                try await bed.initiator.run { try await bed.call(30, from: "ann", .at, $0) }
            }
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("when its work fails after the commit, the caller hears that it is committed")
    func throwsAfterCommit() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            await #expect(throws: TransactionCommitted.self) {
                try await bed.initiator.run { transaction in
                    try await bed.call(30, from: "ann", .saga, transaction)
                    try await bed.decide(transaction)
                    throw Trouble()
                }
            }
            #expect(try await bed.wallet("ann") == .init(70))
        }
    }

    @Test(
        "when nobody knows whether its commit happened, it finds out: it did, or it never will",
        arguments: [true, false])
    func outcomeUnknown(hasHappened: Bool) async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await running(bed) {
                var xid: XID?
                do {
                    try await bed.initiator.run { transaction in
                        xid = transaction.xid
                        try await bed.call(30, from: "ann", .tcc, transaction)
                        transaction.progress = .deciding
                        if hasHappened {
                            _ = try await bed.database.pool.query(
                                """
                                INSERT INTO settle.global_transaction (xid, decision, participants)
                                VALUES ($1, 'commit', $2)
                                """, [.text(transaction.xid.rawValue), .texts([TransactionBed.wallets])])
                        }
                        throw Trouble()
                    }
                } catch is TransactionCommitted {
                    #expect(hasHappened)
                } catch is Trouble {
                    #expect(!hasHappened)
                }
                let decided = try #require(xid)
                #expect(try await bed.decision(decided) == (hasHappened ? "commit" : "abort"))
                try await bed.awaitNothingLeft()
                #expect(try await bed.wallet("ann") == .init(hasHappened ? 70 : 100))
            }
        }
    }

    @Test("past its deadline it does not commit")
    func deadline() async throws {
        var settings = TransactionBed.settings
        settings.deadline = .milliseconds(200)
        try await TransactionBed.with(settings: settings) { bed in
            try await bed.fill("ann")
            await #expect(throws: TransactionTooLate.self) {
                try await bed.initiator.run { transaction in
                    try await bed.call(30, from: "ann", .saga, transaction)
                    try await Task.sleep(for: transaction.remaining)
                    try await bed.decide(transaction)
                }
            }
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("asked before it has decided, it answers abort, and its own commit fails then")
    func askedBefore() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let error = await #expect(throws: PostgresError.self) {
                try await bed.initiator.run { transaction in
                    try await bed.call(30, from: "ann", .saga, transaction)
                    #expect(try await bed.initiator.decisions(on: [transaction.xid]) == [transaction.xid: .abort])
                    try await bed.decide(transaction)
                }
            }
            #expect(error.flatMap(DeclaredAborted.init) != nil)
            #expect(try await bed.wallet("ann") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("asked after it, it answers commit; asked again, the same")
    func askedAfter() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let xid = try await bed.initiator.run { transaction in
                try await bed.call(30, from: "ann", .saga, transaction)
                try await bed.decide(transaction)
                return transaction.xid
            }
            let stranger = XID()
            for _ in 1...2 {
                #expect(try await bed.initiator.decisions(on: [xid, stranger]) == [xid: .commit, stranger: .abort])
            }
        }
    }

    /// Has `transactions` decided in a local transaction that stays open until the gate does.
    private func holdOpen(_ bed: TransactionBed, _ transactions: [GlobalTransaction], _ gate: Gate) -> Task<
        Void, any Error
    > {
        Task { [initiator = bed.initiator] in
            try await bed.database.pool.transaction { transaction in
                try initiator.decide(transactions, in: transaction)
                // The decision is in the table, and not committed.
                _ = try transaction.query("SELECT 1")
                gate.pass()
            }
        }
    }

    private func transaction() throws -> GlobalTransaction {
        let transaction = GlobalTransaction(
            xid: XID(), initiator: TransactionBed.here, deadline: .now + .seconds(30))
        try transaction.caller.enlist(TransactionBed.wallets)
        return transaction
    }

    @Test("asked while its transaction is open, it waits for it; then it says undecided, and holds up no other")
    func askedMeanwhile() async throws {
        try await TransactionBed.with { bed in
            let open = try transaction()
            let gate = Gate()
            let deciding = holdOpen(bed, [open], gate)
            try await gate.reached()
            let others = (0..<40).map { _ in XID() }
            let begin = ContinuousClock.now
            let answers = try await bed.initiator.decisions(on: others.prefix(20) + [open.xid] + others.suffix(20))
            #expect(answers[open.xid] == .undecided)
            #expect(others.allSatisfy { answers[$0] == .abort })
            #expect(ContinuousClock.now - begin < .seconds(2))
            // One that asks just before the commit gets its answer by it.
            let asked = Task { try await bed.initiator.decisions(on: [open.xid])[open.xid] }
            try await Task.sleep(for: .milliseconds(20))
            gate.open()
            try await deciding.value
            #expect(try await asked.value == .commit)
        }
    }

    @Test("a hundred open transactions at once: all undecided, soon, and all commit")
    func manyOpen() async throws {
        try await TransactionBed.with { bed in
            let open = try (0..<100).map { _ in try transaction() }
            let gate = Gate()
            let deciding = holdOpen(bed, open, gate)
            try await gate.reached()
            let begin = ContinuousClock.now
            let answers = try await bed.initiator.decisions(on: open.map(\.xid))
            #expect(answers.values.allSatisfy { $0 == .undecided })
            #expect(answers.count == 100)
            #expect(ContinuousClock.now - begin < .seconds(4))
            gate.open()
            try await deciding.value
            #expect(try await bed.initiator.decisions(on: open.map(\.xid)).values.allSatisfy { $0 == .commit })
        }
    }

    @Test("when the connection breaks at the commit, answers are abort from then on, and nothing is committed late")
    func connectionLost() async throws {
        try await TransactionBed.with { bed in
            let open = try transaction()
            let gate = Gate()
            let deciding = holdOpen(bed, [open], gate)
            try await gate.reached()
            _ = try await bed.database.pool.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND state = 'idle in transaction'
                """)
            gate.open()
            await #expect(throws: PostgresError.self) { try await deciding.value }
            #expect(try await bed.initiator.decisions(on: [open.xid]) == [open.xid: .abort])
        }
    }

    @Test("two who ask at once get the same answer, and it never changes")
    func askedTwice() async throws {
        try await TransactionBed.with { bed in
            for _ in 0..<20 {
                let one = try transaction()
                let answers = await withTaskGroup(of: Decision?.self) { group in
                    // Nil: it was refused, or could not be known.
                    group.addTask { (try? await bed.decide(one)) == nil ? nil : Decision.commit }
                    for _ in 0..<3 { group.addTask { try? await bed.initiator.decisions(on: [one.xid])[one.xid] } }
                    return await group.reduce(into: Set<Decision>()) { answers, answer in
                        if let answer, answer != .undecided { answers.insert(answer) }
                    }
                }
                #expect(answers.count == 1, "\(answers)")
                let last = try await bed.initiator.decisions(on: [one.xid])[one.xid]
                #expect(last == answers.first)
            }
        }
    }

    @Test("a decision without participants is nobody's business")
    func nobodyTookPart() async throws {
        try await TransactionBed.with { bed in
            let xid = try await bed.initiator.run { transaction in
                try transaction.caller.enlist("http://gone.test")
                transaction.caller.withdraw("http://gone.test")
                try await bed.decide(transaction)
                return transaction.xid
            }
            #expect(try await bed.decision(xid) == nil)
        }
    }

    @Test("one call that did nothing takes back only itself")
    func withdrawOne() throws {
        let transaction = try transaction()
        try transaction.caller.enlist(TransactionBed.wallets)
        transaction.caller.withdraw(TransactionBed.wallets)
        #expect(transaction.participants == [TransactionBed.wallets])
        transaction.caller.withdraw(TransactionBed.wallets)
        transaction.caller.withdraw(TransactionBed.wallets)
        #expect(transaction.participants.isEmpty)
    }
}
