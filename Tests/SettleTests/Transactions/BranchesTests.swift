import Foundation
import SettlePostgres
import Testing

@testable import Settle

@Suite(
    "Several branches of one transaction at one participant", .serialized, .enabled(if: Testbed.postgresURL != nil),
    .timeLimit(.minutes(2)))
struct BranchesTests {
    private static let second = BranchID.call(2)

    private static func branch(_ text: String) -> BranchID { BranchID(rawValue: text) ?? .first }

    private static func end(
        _ xid: XID, commit: Bool, _ bed: TransactionBed
    ) async throws -> BranchOutcome? {
        try await (commit ? bed.participant.commit([xid]) : bed.participant.rollBack([xid]))[xid]
    }

    @Test(
        "each is done once, however often it is asked for, and they end together",
        arguments: BranchMode.local, [true, false])
    func together(mode: BranchMode, commit: Bool) async throws {
        try await TransactionBed.with { bed in
            let xid = XID()
            for wallet in ["ann", "bob"] { try await bed.fill(wallet) }
            let ids = [BranchID.first, Self.second, Self.branch("2.1")]
            for (id, wallet) in zip(ids, ["ann", "bob", "bob"]) where mode != .xa || id != ids[2] {
                let first = try await bed.withdraw(10, from: wallet, mode, xid, id)
                if mode == .xa {
                    await #expect(throws: BranchError.prepared) {
                        try await bed.withdraw(10, from: wallet, mode, xid, id)
                    }
                } else {
                    #expect(try await bed.withdraw(10, from: wallet, mode, xid, id) == first, "\(id) again")
                    await #expect(throws: BranchError.otherRequest) {
                        try await bed.withdraw(11, from: wallet, mode, xid, id)
                    }
                }
            }
            let listed = try await bed.checkBack.undecided(limit: 10)
            #expect(Set(listed.map(\.branch)) == Set((mode == .xa ? Array(ids.prefix(2)) : ids).map(\.rawValue)))
            for _ in 1...2 {
                #expect(try await Self.end(xid, commit: commit, bed) == (commit ? .committed : .rolledBack))
                #expect(try await bed.wallet("ann") == .init(commit ? 90 : 100))
                #expect(try await bed.wallet("bob") == .init(commit ? mode == .xa ? 90 : 80 : 100))
            }
            #expect(try await bed.leftovers() == 0)
            let records = try await bed.checkBack.branches(of: [xid])
            #expect(records.allSatisfy { $0.state == (commit ? "committed" : "rolledBack") && $0.endedAt != nil })
        }
    }

    @Test("of all modes at once end together", arguments: [true, false])
    func mixed(commit: Bool) async throws {
        try await TransactionBed.with { bed in
            let xid = XID()
            for (number, mode) in BranchMode.local.enumerated() {
                try await bed.fill("\(mode)")
                try await bed.withdraw(10, from: "\(mode)", mode, xid, .call(number + 1))
            }
            #expect(try await Self.end(xid, commit: commit, bed) == (commit ? .committed : .rolledBack))
            for mode in BranchMode.local { #expect(try await bed.wallet("\(mode)") == .init(commit ? 90 : 100)) }
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("two in mode at may change the same row, and a rollback restores it as it was before both")
    func sameRow() async throws {
        try await TransactionBed.with { bed in
            let xid = XID()
            try await bed.fill("ann")
            #expect(try await bed.withdraw(10, from: "ann", .at, xid) == Receipt(balance: 90))
            #expect(try await bed.withdraw(20, from: "ann", .at, xid, Self.second) == Receipt(balance: 70))
            _ = try await bed.participant.rollBack([xid])
            #expect(try await bed.wallet("ann") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test(
        "one that comes when the transaction has ended here is refused",
        arguments: BranchMode.local, [true, false])
    func late(mode: BranchMode, commit: Bool) async throws {
        try await TransactionBed.with { bed in
            let (known, unknown) = (XID(), XID())
            try await bed.fill("ann")
            try await bed.withdraw(10, from: "ann", mode, known)
            #expect(try await Self.end(known, commit: commit, bed) != nil)
            await #expect(throws: BranchError.transactionIsOver) {
                try await bed.withdraw(10, from: "ann", mode, known, Self.second)
            }
            _ = try await bed.participant.rollBack([unknown])
            await #expect(throws: BranchError.transactionIsOver) {
                try await bed.withdraw(10, from: "ann", mode, unknown, Self.second)
            }
            #expect(try await bed.wallet("ann") == .init(commit ? 90 : 100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("one that comes as the transaction is rolled back is undone with it, or refused", arguments: BranchMode.local)
    func race(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            var met: Set<String> = []
            for round in 0..<60 {
                let xid = XID()
                let wallets = ["\(round)", "\(round) b", "\(round) c"]
                for wallet in wallets { try await bed.fill(wallet) }
                try await bed.withdraw(10, from: wallets[0], mode, xid)
                async let others = withTaskGroup(of: String.self) { group in
                    for number in 1...2 {
                        group.addTask {
                            // At another moment of the rollback each time.
                            try? await Task.sleep(for: .microseconds(round * 60))
                            do {
                                try await bed.withdraw(10, from: wallets[number], mode, xid, .call(number + 1))
                                return "done"
                            } catch BranchError.transactionIsOver {
                                return "refused"
                            } catch { return "\(error)" }
                        }
                    }
                    return await group.reduce(into: Set<String>()) { $0.insert($1) }
                }
                // A rollback that meets a branch for too long is asked for again, as an initiator does.
                var outcome: BranchOutcome?
                for _ in 1...10 where outcome == nil { outcome = try await Self.end(xid, commit: false, bed) }
                #expect(outcome == .rolledBack)
                met.formUnion(await others)
                // Nobody asks for it again, and nobody asks the initiator: all has ended by that one rollback.
                #expect(try await bed.leftovers() == 0, "round \(round)")
                for wallet in wallets { #expect(try await bed.wallet(wallet) == .init(100), "round \(round)") }
            }
            #expect(met.isSubset(of: ["done", "refused"]), "\(met)")
            #expect(met.contains("refused"))
        }
    }

    @Test("of two transactions in one group, and two of one, each gets its answer")
    func grouped() async throws {
        try await TransactionBed.with { bed in
            let xids = [XID(), XID()]
            try await bed.fill("ann")
            for mode in [BranchMode.tcc, .saga, .at] {
                let requests = try [(xids[0], "1"), (xids[0], "2"), (xids[1], "1"), (xids[0], "2")].map { xid, id in
                    BranchRequest(
                        body: try JSONEncoder().encode(Withdrawal(wallet: "ann", amount: 1)),
                        context: BranchContext(
                            xid: xid, branch: Self.branch("\(BranchMode.local.firstIndex(of: mode)! + 1).\(id)"),
                            mode: mode, initiator: TransactionBed.here))
                }
                let answers = await bed.participant.perform("withdraw", group: requests)
                if mode == .at { continue }
                for answer in answers { #expect(throws: Never.self) { try answer.get() } }
            }
            _ = try await bed.participant.rollBack(xids)
            #expect(try await bed.wallet("ann") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("are no more than sixty-four")
    func many() async throws {
        try await TransactionBed.with { bed in
            let xid = XID()
            try await bed.fill("ann")
            for number in 1...64 { try await bed.withdraw(1, from: "ann", .tcc, xid, .call(number)) }
            await #expect(throws: BranchError.tooManyBranches) {
                try await bed.withdraw(1, from: "ann", .tcc, xid, .call(65))
            }
            _ = try await bed.participant.commit([xid])
            #expect(try await bed.wallet("ann") == .init(36))
        }
    }

    @Test("in mode xa have names of their own, which must fit")
    func names() async throws {
        try await TransactionBed.with { bed in
            let long = Self.branch("1." + String(repeating: "1", count: 62))
            try await bed.fill("ann")
            let request = try JSONEncoder().encode(Withdrawal(wallet: "ann", amount: 1))
            func perform(_ xid: XID, _ branch: BranchID, _ initiator: String) async throws {
                _ = try await bed.participant.perform(
                    "withdraw", request: request,
                    context: BranchContext(xid: xid, branch: branch, mode: .xa, initiator: initiator))
            }
            let initiator = String(repeating: "i", count: BranchContext.maxInitiatorLength)
            await #expect(throws: BranchError.nameTooLong) { try await perform(XID(), long, initiator) }
            let xid = try #require(XID(rawValue: String(repeating: "x", count: 64)))
            try await perform(xid, .first, initiator)
            #expect(try await bed.participant.prepared.find([xid]).map(\.branch) == [.first])
            _ = try await bed.participant.rollBack([xid])
            let other = XID()
            try await perform(other, Self.branch("3.1"), "order")
            #expect(try await bed.participant.prepared.find([other]).map(\.branch.rawValue) == ["3.1"])
            #expect(try await bed.checkBack.branches(of: [other]).map(\.branch) == ["3.1"])
            _ = try await bed.participant.rollBack([other])
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("are asked about once, and end with the answer")
    func checkBack() async throws {
        try await TransactionBed.with { bed in
            let xid = XID()
            try await bed.fill("ann")
            for number in 1...3 { try await bed.withdraw(1, from: "ann", .saga, xid, .call(number), deadline: .now) }
            try await bed.awaitNothingLeftByCheckBack()
            let asked = bed.wire.messages(to: TransactionBed.here)
            #expect(asked.allSatisfy { $0.xids == [xid] }, "\(asked)")
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("each call of an initiator is one, and keeps its name when it is sent again")
    func calls() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.initiator.run { transaction in
                var names: [String] = []
                for mode in [BranchMode.tcc, .saga, .at] {
                    try await transaction.call(TransactionBed.wallets, mode: mode) { headers, _ in
                        names.append(headers[BranchContext.branchHeader] ?? "none")
                        guard let context = BranchContext(header: { headers[$0] }) else { return .done(()) }
                        let request = try JSONEncoder().encode(Withdrawal(wallet: "ann", amount: 10))
                        for _ in 1...2 {
                            _ = try await bed.participant.perform("withdraw", request: request, context: context)
                        }
                        return .done(())
                    }
                }
                #expect(names == ["1", "2", "3"])
                #expect(transaction.participants == [TransactionBed.wallets])
                try await bed.decide(transaction)
            }
            await bed.checkBack.check()
            try await bed.awaitNothingLeftByCheckBack()
            #expect(try await bed.wallet("ann") == .init(70))
        }
    }
}

extension TransactionBed {
    fileprivate func awaitNothingLeftByCheckBack() async throws {
        try await Self.await {
            await checkBack.check()
            return try await leftovers() == 0
        }
    }
}
