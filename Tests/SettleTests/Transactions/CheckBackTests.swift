import SettleCore
import Foundation
import SettlePostgres
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle

@Suite("Check-back", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct CheckBackTests {
    private func settle(_ bed: TransactionBed) async throws {
        try await TransactionBed.await {
            await bed.checkBack.check()
            return try await bed.leftovers() == 0
        }
    }

    @Test(
        "a branch whose initiator never decided is rolled back, and one that it committed is committed",
        arguments: BranchMode.local)
    func follows(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.fill("bob")
            let dead = XID.gone
            try await bed.withdraw(30, from: "ann", mode, dead)
            // Nobody runs the initiator's loops: only the participant can end it.
            let committed = try await bed.initiator.run { transaction in
                try await bed.call(30, from: "bob", mode, transaction)
                try await bed.decide(transaction)
                return transaction.xid
            }
            try await settle(bed)
            #expect(try await bed.wallet("ann") == .init(100))
            #expect(try await bed.wallet("bob") == .init(70))
            #expect(try await bed.decision(dead) == "abort")
            #expect(try await bed.decision(committed) == "commit")
        }
    }

    @Test("nothing is asked before its time")
    func patience() async throws {
        var settings = TransactionBed.settings
        settings.checkAfter = .seconds(60)
        try await TransactionBed.with(settings: settings) { bed in
            try await bed.fill("ann")
            try await bed.fill("bob")
            try await bed.withdraw(30, from: "ann", .at, XID.gone)
            try await bed.withdraw(30, from: "bob", .xa, XID.gone)
            await bed.checkBack.check()
            #expect(bed.wire.messages(to: TransactionBed.here).isEmpty)
            #expect(try await bed.participant.undecided(limit: 10).map(\.state).sorted() == ["prepared", "undecided"])
        }
    }

    @Test(
        "while the initiator is away, branches wait and nothing is guessed; it is asked ever more rarely, with one question for all"
    )
    func away() async throws {
        var settings = TransactionBed.settings
        settings.checkBackoff = Backoff(initial: .milliseconds(100), cap: .seconds(1))
        settings.scanInterval = .milliseconds(5)
        try await TransactionBed.with(settings: settings) { bed in
            try await bed.fill("ann")
            for number in 0..<50 {
                try await bed.withdraw(1, from: "ann", .tcc, XID.gone)
                if number < 5 {
                    try await bed.fill("\(number)")
                    try await bed.withdraw(1, from: "\(number)", .xa, XID.gone)
                }
            }
            bed.wire.cut(TransactionBed.here)
            try await serving([bed.checkBack]) {
                try await Task.sleep(for: .seconds(2))
                let asked = bed.wire.messages(to: TransactionBed.here).count
                #expect((2...8).contains(asked), "\(asked) questions in two seconds")
                #expect(try await bed.leftovers() == 55)
                bed.wire.mend(TransactionBed.here)
                try await bed.awaitNothingLeft(within: .seconds(5))
            }
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("an initiator that hangs keeps the branches of others waiting no longer")
    func hanging() async throws {
        var settings = TransactionBed.settings
        settings.scanInterval = .milliseconds(10)
        settings.batchSize = 10
        try await TransactionBed.with(settings: settings) { bed in
            let other = "http://other.test"
            bed.wire.hang(other)
            try await bed.fill("ann", 1_000)
            // More than one question holds, and all older than ours.
            for number in 0..<25 {
                let request = try JSONEncoder().encode(Withdrawal(wallet: "ann", amount: 1))
                _ = try await bed.participant.perform(
                    "withdraw", request: request,
                    context: BranchContext(
                        xid: XID.gone, mode: .saga, initiator: number < 24 ? other : TransactionBed.here))
            }
            try await serving([bed.checkBack]) {
                try await TransactionBed.await(within: .seconds(3)) {
                    try await bed.database.number(
                        "SELECT count(*) FROM settle.branch WHERE state = 'rolledBack'") == 1
                }
                #expect(bed.wire.messages(to: other).count == 1, "one question at a time")
            }
        }
    }

    @Test("more branches than one question holds are ended one question after the other, without a pause between")
    func many() async throws {
        var settings = TransactionBed.settings
        settings.batchSize = 10
        settings.scanInterval = .seconds(2)
        try await TransactionBed.with(settings: settings) { bed in
            try await bed.fill("ann")
            for _ in 0..<60 { try await bed.withdraw(1, from: "ann", .saga, XID.gone) }
            let begin = ContinuousClock.now
            try await serving([bed.checkBack]) {
                try await bed.awaitNothingLeft()
            }
            #expect(ContinuousClock.now - begin < .seconds(4))
            #expect(bed.wire.messages(to: TransactionBed.here).allSatisfy { $0.xids.count <= 10 })
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("two replicas share the questions")
    func replicas() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            for _ in 0..<40 { try await bed.withdraw(1, from: "ann", .saga, XID.gone) }
            let second = CheckBack(participant: bed.participant, peers: bed.wire, logger: quiet)
            async let one: Void = bed.checkBack.check()
            async let other: Void = second.check()
            _ = await (one, other)
            try await settle(bed)
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("an undecided answer is no answer: the branch waits and is asked about again")
    func undecided() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let transaction = GlobalTransaction(
                xid: XID(), initiator: TransactionBed.here, deadline: .now + .seconds(30))
            try await bed.call(30, from: "ann", .at, transaction)
            let gate = Gate()
            let deciding = Task { [initiator = bed.initiator] in
                try await bed.database.pool.transaction {
                    try initiator.decide([transaction], in: $0)
                    _ = try $0.query("SELECT 1")
                    gate.pass()
                }
            }
            try await gate.reached()
            await bed.checkBack.check()
            #expect(bed.wire.messages(to: TransactionBed.here).count == 1)
            #expect(try await bed.state(transaction.xid) == .undecided)
            gate.open()
            try await deciding.value
            try await settle(bed)
            #expect(try await bed.wallet("ann") == .init(70))
        }
    }

    @Test("a row that was changed past the guard: the rollback stops, keeps everything, and is counted as stuck")
    func stuck() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let xid = XID.gone
            try await bed.withdraw(30, from: "ann", .at, xid)
            _ = try await bed.database.pool.transaction { transaction in
                transaction.add("SET LOCAL session_replication_role = replica")
                transaction.add("UPDATE wallet SET balance = 1 WHERE name = 'ann'")
            }
            await bed.checkBack.check()
            let waiting = try await bed.participant.undecided(limit: 10)
            #expect(waiting.map(\.xid) == [xid.rawValue])
            #expect(waiting.first?.errormsg != nil)
            #expect(try await bed.wallet("ann") == .init(1))
            // The operator chooses; then it ends by itself.
            _ = try await bed.database.pool.query(
                #"SELECT settle.at_resolve($1, 'wallet', '{"name": "ann"}', 'restore')"#, [.text(xid.rawValue)])
            #expect(try await bed.participant.rollBack([xid]) == [xid: .rolledBack])
            #expect(try await bed.wallet("ann") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("branches of an initiator that configuration does not know are shown, never asked about, and in nobody's way")
    func unresolved() async throws {
        var settings = TransactionBed.settings
        settings.batchSize = 5
        try await TransactionBed.with(settings: settings) { bed in
            let stranger = "http://gone.test"
            bed.wire.estrange(stranger)
            try await bed.fill("ann")
            try await bed.fill("bob")
            for number in 0..<12 {
                let request = try JSONEncoder().encode(Withdrawal(wallet: number == 0 ? "bob" : "ann", amount: 1))
                _ = try await bed.participant.perform(
                    "withdraw", request: request,
                    context: BranchContext(xid: XID(), mode: number == 0 ? .xa : .saga, initiator: stranger))
            }
            let ours = XID()
            try await bed.withdraw(1, from: "ann", .saga, ours, deadline: .now)
            try await TransactionBed.await {
                await bed.checkBack.check()
                return try await bed.state(ours) == .rolledBack
            }
            #expect(bed.wire.messages(to: stranger).isEmpty)
            #expect(try await bed.checkBack.undecided(limit: 50).count { $0.unresolved } == 12)
        }
    }

    @Test("while the business tables are not up to date, branches in at and xa end, and the others wait for theirs")
    func migrating() async throws {
        let isReady = Atomic(false)
        try await TransactionBed.with(actionsCanEnd: { isReady.load(ordering: .relaxed) }) { bed in
            for mode in BranchMode.local {
                try await bed.fill(mode.rawValue)
                try await bed.withdraw(30, from: mode.rawValue, mode, XID(), deadline: .now)
            }
            try await TransactionBed.await {
                await bed.checkBack.check()
                return try await bed.participant.undecided(limit: 10).map(\.mode).sorted() == ["saga", "tcc"]
            }
            #expect(try await bed.wallet("at") == .init(100))
            #expect(try await bed.wallet("tcc") == .init(70, reserved: 30))
            #expect(try await bed.checkBack.undecided(limit: 10).allSatisfy { $0.errormsg == nil })
            isReady.store(true, ordering: .relaxed)
            try await settle(bed)
            #expect(try await bed.wallet("tcc") == .init(100))
        }
    }
}

extension XID {
    /// Of a process that is gone: it will not be decided any more, and whoever is asked knows.
    fileprivate static var gone: XID { XID(process: 1) }
}
