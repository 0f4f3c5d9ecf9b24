import Foundation
import SettlePostgres
import Testing

@testable import Settle

@Suite("A participant", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct ParticipantTests {
    /// What is in the wallet while its part of 30 is undecided.
    private func meanwhile(_ mode: BranchMode) -> TransactionBed.Wallet {
        switch mode {
        case .at, .saga: .init(70)
        case .tcc: .init(70, reserved: 30)
        case .xa, .mt: .init(100)
        }
    }

    @Test(
        "does its part, and makes it final or undoes it; once, however often it is asked",
        arguments: BranchMode.local)
    func ends(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            for commit in [true, false] {
                let (wallet, xid) = ("\(commit)", XID())
                try await bed.fill(wallet)
                #expect(try await bed.withdraw(30, from: wallet, mode, xid) == Receipt(balance: 70))
                #expect(try await bed.wallet(wallet) == meanwhile(mode))
                for _ in 1...3 {
                    let outcomes = try await commit ? bed.participant.commit([xid]) : bed.participant.rollBack([xid])
                    #expect(outcomes == [xid: commit ? .committed : .rolledBack])
                    #expect(try await bed.wallet(wallet) == .init(commit ? 70 : 100))
                }
                // The other word comes too late.
                let late = try await commit ? bed.participant.rollBack([xid]) : bed.participant.commit([xid])
                #expect(late == [xid: commit ? .committed : .rolledBack])
                #expect(try await bed.wallet(wallet) == .init(commit ? 70 : 100))
            }
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("a request that comes again gets the same answer and does nothing", arguments: BranchMode.local)
    func repeated(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            let xid = XID()
            try await bed.fill("ann")
            let first = try await bed.withdraw(30, from: "ann", mode, xid)
            if mode == .xa {
                // Prepared: there is no answer to be seen yet, but it is not done again.
                await #expect(throws: BranchError.prepared) { try await bed.withdraw(30, from: "ann", mode, xid) }
            } else {
                #expect(try await bed.withdraw(30, from: "ann", mode, xid) == first)
            }
            #expect(try await bed.wallet("ann") == meanwhile(mode))
            _ = try await bed.participant.commit([xid])
            #expect(try await bed.withdraw(30, from: "ann", mode, xid) == first, "after its commit")
            #expect(try await bed.wallet("ann") == .init(70))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("ten copies of a request at once are one part", arguments: BranchMode.local)
    func copiesAtOnce(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            let xid = XID()
            try await bed.fill("ann")
            let answers = await withTaskGroup(of: Result<Receipt, any Error>.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        do { return .success(try await bed.withdraw(30, from: "ann", mode, xid)) } catch {
                            return .failure(error)
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for answer in answers {
                switch answer {
                case .success(let receipt): #expect(receipt == Receipt(balance: 70))
                case .failure(let error): #expect(mode == .xa && error as? BranchError == .prepared, "\(error)")
                }
            }
            _ = try await bed.participant.commit([xid])
            #expect(try await bed.wallet("ann") == .init(70))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test(
        "a request that comes after its rollback is refused, whether it had come before or not",
        arguments: BranchMode.local)
    func late(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let (known, unknown) = (XID(), XID())
            try await bed.withdraw(30, from: "ann", mode, known)
            #expect(
                try await bed.participant.rollBack([known, unknown]) == [known: .rolledBack, unknown: .rolledBack])
            #expect(try await bed.state(unknown) == .rolledBack, "the rollback of a part that never came is remembered")
            for xid in [known, unknown] {
                await #expect(throws: BranchError.transactionIsOver) {
                    try await bed.withdraw(30, from: "ann", mode, xid)
                }
            }
            #expect(try await bed.wallet("ann") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test(
        "a rollback that overtakes its request on the way: the request waits for it, and is refused",
        arguments: BranchMode.local)
    func overtaken(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            for round in 0..<20 {
                let (wallet, xid) = ("wallet \(round)", XID())
                try await bed.fill(wallet)
                async let request = bed.withdraw(30, from: wallet, mode, xid)
                async let rollback = bed.participant.rollBack([xid])
                do {
                    _ = try await request
                } catch let error as BranchError {
                    #expect(error == .transactionIsOver)
                }
                do {
                    _ = try await rollback
                } catch let error as PostgresError where error.isRowHeld {
                    // It met the part while that was being prepared: asked for again, as the initiator would.
                }
                _ = try await bed.participant.rollBack([xid])
                #expect(try await bed.wallet(wallet) == .init(100))
                #expect(try await bed.state(xid) == .rolledBack)
            }
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("says no: nothing stays, and the same transaction may ask for less", arguments: BranchMode.local)
    func refusal(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            let xid = XID()
            try await bed.fill("ann")
            await #expect(throws: BranchRefusal(code: "insufficient-funds", detail: "not enough money")) {
                try await bed.withdraw(101, from: "ann", mode, xid)
            }
            #expect(try await bed.wallet("ann") == .init(100))
            #expect(try await bed.state(xid) == nil)
            #expect(try await bed.leftovers() == 0)
            try await bed.withdraw(100, from: "ann", mode, xid)
            _ = try await bed.participant.commit([xid])
            #expect(try await bed.wallet("ann") == .init(0))
        }
    }

    @Test("another request under the same transaction is refused, not taken for a copy of the first")
    func otherRequest() async throws {
        try await TransactionBed.with { bed in
            let xid = XID()
            try await bed.fill("ann")
            try await bed.withdraw(30, from: "ann", .tcc, xid)
            for (amount, mode) in [(Int64(31), BranchMode.tcc), (30, .saga), (30, .xa)] {
                await #expect(throws: BranchError.otherRequest) {
                    try await bed.withdraw(amount, from: "ann", mode, xid)
                }
            }
            // The same, written another way.
            let same = Data(#"{ "amount" : 30.0, "wallet":"\u0061nn" }"#.utf8)
            let context = BranchContext(xid: xid, mode: .tcc, initiator: TransactionBed.here)
            let answer = try await bed.participant.perform("withdraw", request: same, context: context)
            #expect(try JSONDecoder().decode(Receipt.self, from: answer.body) == Receipt(balance: 70))
            #expect(try await bed.wallet("ann") == .init(70, reserved: 30))
        }
    }

    @Test("an action that is not offered in a mode is refused, and so is a request that makes no sense")
    func unknown() async throws {
        try await TransactionBed.with(handlers: [.tcc("withdraw", ReservedWithdrawal())]) { bed in
            try await bed.fill("ann")
            await #expect(throws: BranchError.unsupportedMode(.at)) {
                try await bed.withdraw(1, from: "ann", .at, XID())
            }
            await #expect(throws: DecodingError.self) {
                try await bed.participant.perform(
                    "withdraw", request: Data("{}".utf8),
                    context: BranchContext(xid: XID(), mode: .tcc, initiator: TransactionBed.here))
            }
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test(
        "a held row is waited for up to the lock timeout, then refused; when it is free in time, the part is done",
        arguments: [BranchMode.at, .xa], [true, false])
    func held(mode: BranchMode, isFreedInTime: Bool) async throws {
        try await TransactionBed.with { bed in
            let (first, second) = (XID(), XID())
            try await bed.fill("ann")
            try await bed.withdraw(30, from: "ann", mode, first)
            let waiting = Task { try await bed.withdraw(30, from: "ann", mode, second) }
            if isFreedInTime {
                try await Task.sleep(for: .milliseconds(50))
                _ = try await bed.participant.commit([first])
                #expect(try await waiting.value == Receipt(balance: 40))
                _ = try await bed.participant.commit([second])
                #expect(try await bed.wallet("ann") == .init(40))
            } else {
                let begin = ContinuousClock.now
                await #expect(throws: BranchError.locked) { try await waiting.value }
                #expect(ContinuousClock.now - begin < .seconds(2))
                _ = try await bed.participant.commit([first])
                #expect(try await bed.wallet("ann") == .init(70))
            }
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("many in one batch, of all modes, end together", arguments: [true, false])
    func batch(commit: Bool) async throws {
        try await TransactionBed.with { bed in
            var xids: [XID] = []
            for mode in BranchMode.local {
                for number in 0..<10 {
                    // One wallet for all of a mode where rows are free meanwhile, one each where they are held.
                    let wallet = mode == .at || mode == .xa ? "\(mode) \(number)" : "\(mode)"
                    if number == 0 || mode == .at || mode == .xa { try await bed.fill(wallet) }
                    let xid = XID()
                    try await bed.withdraw(3, from: wallet, mode, xid)
                    xids.append(xid)
                }
            }
            let unknown = XID()
            let outcomes =
                try await commit ? bed.participant.commit(xids + [unknown]) : bed.participant.rollBack(xids + [unknown])
            let outcome: BranchOutcome = commit ? .committed : .rolledBack
            #expect(outcomes == Dictionary(uniqueKeysWithValues: (xids + [unknown]).map { ($0, outcome) }))
            #expect(try await bed.leftovers() == 0)
            let total = try await bed.database.number("SELECT sum(balance) + sum(reserved) FROM wallet")
            #expect(total == 22 * 100 - (commit ? 40 * 3 : 0))
        }
    }

    @Test("one branch that cannot be ended holds up no other of its batch, is named, and ends when it can be")
    func poisoned() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.fill("bob")
            let (good, bad) = (XID(), XID())
            try await bed.withdraw(10, from: "ann", .tcc, good)
            try await bed.withdraw(10, from: "bob", .tcc, bad)
            // What confirm needs is not there any more: the CHECK refuses.
            _ = try await bed.database.pool.query("UPDATE wallet SET reserved = 0 WHERE name = 'bob'")
            #expect(try await bed.participant.commit([good, bad]) == [good: .committed])
            let waiting = try await bed.participant.undecided(limit: 10)
            #expect(waiting.map(\.xid) == [bad.rawValue])
            #expect(waiting.first?.errormsg != nil)
            _ = try await bed.database.pool.query("UPDATE wallet SET reserved = 10 WHERE name = 'bob'")
            #expect(try await bed.participant.commit([good, bad]) == [good: .committed, bad: .committed])
            #expect(try await bed.wallet("bob") == .init(90))
        }
    }

    @Test("a branch whose action or request cannot be read any more is kept, and holds up no other")
    func unreadable() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let (good, gone, garbled) = (XID(), XID(), XID())
            for xid in [good, gone, garbled] { try await bed.withdraw(10, from: "ann", .tcc, xid) }
            for (xid, change) in [(gone, "action = 'deposit'"), (garbled, "request = '{}'")] {
                _ = try await bed.database.pool.query(
                    "UPDATE settle.branch SET \(change) WHERE xid = $1", [.text(xid.rawValue)])
            }
            #expect(try await bed.participant.rollBack([garbled, gone, good]) == [good: .rolledBack])
            #expect(try await bed.wallet("ann") == .init(80, reserved: 20))
            let waiting = try await bed.participant.undecided(limit: 10)
            #expect(Set(waiting.map(\.xid)) == [gone.rawValue, garbled.rawValue])
            #expect(waiting.allSatisfy { $0.errormsg != nil })
        }
    }

    @Test("an end waits for a row that another transaction holds, and does not fail for it")
    func endMeetsHeldRow() async throws {
        try await TransactionBed.with { bed in
            let (reserved, holder) = (XID(), XID())
            try await bed.fill("ann")
            try await bed.withdraw(10, from: "ann", .tcc, reserved)
            try await bed.withdraw(20, from: "ann", .at, holder)
            #expect(try await bed.participant.commit([reserved]) == [:], "not now")
            #expect(try await bed.participant.undecided(limit: 10).allSatisfy { $0.errormsg == nil })
            async let confirmed = bed.participant.commit([reserved])
            _ = try await bed.participant.commit([holder])
            _ = try await confirmed
            #expect(try await bed.participant.commit([reserved]) == [reserved: .committed])
            #expect(try await bed.wallet("ann") == .init(70))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("mode xa: a second participant on the same server keeps its hands off")
    func otherParticipant() async throws {
        try await TransactionBed.with { one in
            try await TransactionBed.with { other in
                let xid = XID()
                try await one.fill("ann")
                try await other.fill("ann")
                try await one.withdraw(30, from: "ann", .xa, xid)
                // The same transaction, the same name: only the database tells them apart.
                _ = try await other.participant.rollBack([xid])
                #expect(try await one.leftovers() == 1)
                #expect(try await one.participant.commit([xid]) == [xid: .committed])
                #expect(try await one.wallet("ann") == .init(70))
            }
        }
    }
}
