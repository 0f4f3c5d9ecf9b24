import Foundation
import SettlePostgres
import Testing

@testable import Settle

/// Parts of several global transactions that come together.
@Suite("A group of parts", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct GroupTests {
    private static let modes: [BranchMode] = [.tcc, .saga]

    private static let handlers: [BranchHandler] = [
        .at("withdraw", PlainWithdrawal()), .xa("withdraw", PlainWithdrawal()),
        .tcc("withdraw", ReservedTogether()), .saga("withdraw", CompensatedTogether()),
    ]

    private struct Part {
        let wallet: String
        let amount: Int64
        let mode: BranchMode
        var xid = XID()
    }

    /// The answers, in order.
    private func ask(_ parts: [Part], of bed: TransactionBed) async throws -> [Result<Receipt, any Error>] {
        let requests = try parts.map { part in
            BranchRequest(
                body: try JSONEncoder().encode(Withdrawal(wallet: part.wallet, amount: part.amount)),
                context: BranchContext(xid: part.xid, mode: part.mode, initiator: TransactionBed.here))
        }
        return await bed.participant.perform("withdraw", group: requests).map { answer in
            Result { try JSONDecoder().decode(Receipt.self, from: answer.get().body) }
        }
    }

    private func balances(_ answers: [Result<Receipt, any Error>]) -> [Int64?] {
        answers.map { try? $0.get().balance }
    }

    /// How many local transactions have written the branches that there are.
    private func transactions(_ bed: TransactionBed) async throws -> Int {
        try await bed.database.pool.query("SELECT count(DISTINCT xmin::text)::bigint FROM settle.branch")[0]
            .decode(Int.self, at: 0)
    }

    @Test("is done in one local transaction, one part after the other; each ends by itself", arguments: modes)
    func together(mode: BranchMode) async throws {
        try await TransactionBed.with(handlers: Self.handlers) { bed in
            try await bed.fill("ann")
            try await bed.fill("bob")
            let parts = [("ann", 30), ("bob", 10), ("ann", 20)].map { Part(wallet: $0, amount: $1, mode: mode) }
            #expect(balances(try await ask(parts, of: bed)) == [70, 90, 50])
            #expect(try await transactions(bed) == 1)
            _ = try await bed.participant.commit([parts[0].xid])
            _ = try await bed.participant.rollBack([parts[1].xid, parts[2].xid])
            #expect(try await bed.wallet("ann") == .init(70))
            #expect(try await bed.wallet("bob") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test(
        "at and xa: at in one local transaction, too, each under its own XID; xa in one each",
        arguments: [BranchMode.at, .xa])
    func plain(mode: BranchMode) async throws {
        try await TransactionBed.with(handlers: Self.handlers) { bed in
            for wallet in ["ann", "bob"] { try await bed.fill(wallet) }
            let parts = ["ann", "bob"].map { Part(wallet: $0, amount: 30, mode: mode) }
            #expect(balances(try await ask(parts, of: bed)) == [70, 70])
            if mode == .at { #expect(try await transactions(bed) == 1) }
            _ = try await bed.participant.commit([parts[0].xid])
            _ = try await bed.participant.rollBack([parts[1].xid])
            #expect(try await bed.wallet("ann") == .init(70))
            #expect(try await bed.wallet("bob") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test(
        "at: one that needs the row of a neighbour comes alone; who is refused is told so; the others are done together"
    )
    func atNeighbours() async throws {
        try await TransactionBed.with(handlers: Self.handlers) { bed in
            for wallet in ["ann", "bob", "cid"] { try await bed.fill(wallet) }
            let parts = [("ann", 30), ("bob", 101), ("ann", 5), ("cid", 10)].map {
                Part(wallet: $0, amount: $1, mode: .at)
            }
            let answers = try await ask(parts, of: bed)
            #expect(balances(answers) == [70, nil, nil, 90])
            #expect(throws: BranchRefusal.self) { try answers[1].get() }
            #expect(throws: BranchError.comeAlone) { try answers[2].get() }
            #expect(try await transactions(bed) == 1)
            _ = try await bed.participant.commit([parts[0].xid])
            _ = try await bed.participant.rollBack([parts[1].xid, parts[2].xid, parts[3].xid])
            #expect(try await bed.wallet("ann") == .init(70))
            #expect(try await bed.wallet("bob") == .init(100))
            #expect(try await bed.wallet("cid") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("at: what one may not do, the others need not answer for")
    func atOutside() async throws {
        try await TransactionBed.with(handlers: Self.handlers + [.at("stray", Stray())]) { bed in
            for wallet in ["ann", "stray", "bob"] { try await bed.fill(wallet) }
            try await bed.database.pool.script("CREATE TABLE outside (n int)")
            let requests = ["ann", "stray", "bob"].map {
                BranchRequest(
                    body: Data(#"{"wallet":"\#($0)","amount":30}"#.utf8),
                    context: BranchContext(xid: XID(), mode: .at, initiator: TransactionBed.here))
            }
            let answers = await bed.participant.perform("stray", group: requests)
            #expect(answers.map { (try? $0.get()) != nil } == [true, false, true])
            _ = try await bed.participant.rollBack(requests.map(\.context.xid))
            for wallet in ["ann", "bob"] { #expect(try await bed.wallet(wallet) == .init(100)) }
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("who is refused does not stop the others", arguments: modes)
    func refused(mode: BranchMode) async throws {
        try await TransactionBed.with(handlers: Self.handlers) { bed in
            try await bed.fill("ann")
            let parts = [("ann", 60), ("ann", 50), ("nobody", 1), ("ann", 40)].map {
                Part(wallet: $0, amount: $1, mode: mode)
            }
            let answers = try await ask(parts, of: bed)
            #expect(balances(answers) == [40, nil, nil, 0])
            for index in [1, 2] {
                #expect(throws: BranchRefusal.self) { try answers[index].get() }
            }
            _ = try await bed.participant.rollBack(parts.map(\.xid))
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("a repeated, a late and another request keep their answers beside new ones", arguments: modes)
    func known(mode: BranchMode) async throws {
        try await TransactionBed.with(handlers: Self.handlers) { bed in
            try await bed.fill("ann")
            let (done, late, new) = (XID(), XID(), XID())
            try await bed.withdraw(10, from: "ann", mode, done)
            _ = try await bed.participant.rollBack([late])
            let parts = [(done, 10), (late, 10), (done, 11), (new, 5), (new, 5)].map {
                Part(wallet: "ann", amount: $1, mode: mode, xid: $0)
            }
            let answers = try await ask(parts, of: bed)
            #expect(balances(Array(answers[...2])) == [90, nil, nil])
            // Of two copies one may find the other one at work.
            for answer in answers[3...] {
                do {
                    #expect(try answer.get().balance == 85)
                } catch BranchError.comeAlone {
                    #expect(try await bed.withdraw(5, from: "ann", mode, new).balance == 85)
                }
            }
            #expect(throws: BranchError.transactionIsOver) { try answers[1].get() }
            #expect(throws: BranchError.otherRequest) { try answers[2].get() }
            _ = try await bed.participant.rollBack([done, new])
            #expect(try await bed.wallet("ann") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test(
        "one that meets a held row is told to come alone, at once, and its neighbours are done",
        arguments: modes + [.at])
    func held(mode: BranchMode) async throws {
        try await TransactionBed.with(handlers: Self.handlers) { bed in
            for wallet in ["ann", "bob", "cid"] { try await bed.fill(wallet) }
            let holder = XID()
            try await bed.withdraw(10, from: "ann", .at, holder)
            let parts = ["bob", "ann", "cid"].map { Part(wallet: $0, amount: 30, mode: mode) }
            let began = ContinuousClock.now
            let answers = try await ask(parts, of: bed)
            #expect(ContinuousClock.now - began < bed.settings.lockTimeout, "nobody stood in line")
            #expect(answers.map { (try? $0.get()) != nil } == [true, false, true])
            #expect(throws: BranchError.comeAlone) { try answers[1].get() }
            _ = try await bed.participant.commit([holder])
            #expect(try await bed.withdraw(30, from: "ann", mode, parts[1].xid) == Receipt(balance: 60))
            for wallet in ["bob", "cid"] { #expect(try await bed.wallet(wallet).balance == 70) }
        }
    }

    @Test(
        "when only the word of the commit is lost, each still gets its answer, and nothing is done twice",
        arguments: modes + [.at])
    func wordLost(mode: BranchMode) async throws {
        try await TransactionBed.with(failpoints: Failpoints("branch.committed=throw@1"), handlers: Self.handlers) {
            bed in
            for wallet in ["ann", "bob"] { try await bed.fill(wallet) }
            let parts = ["ann", "bob"].map { Part(wallet: $0, amount: 30, mode: mode) }
            #expect(balances(try await ask(parts, of: bed)) == [70, 70])
            #expect(try await transactions(bed) == 1)
            for wallet in ["ann", "bob"] { #expect(try await bed.wallet(wallet).balance == 70) }
        }
    }

    @Test("one that cannot be read is told so, and its neighbours are done", arguments: modes + [.at])
    func unreadable(mode: BranchMode) async throws {
        try await TransactionBed.with(handlers: Self.handlers) { bed in
            for wallet in ["ann", "bob"] { try await bed.fill(wallet) }
            let requests = [#"{"wallet":"ann","amount":30}"#, #"{"wallet":7}"#, #"{"wallet":"bob","amount":30}"#].map {
                BranchRequest(
                    body: Data($0.utf8), context: BranchContext(xid: XID(), mode: mode, initiator: TransactionBed.here))
            }
            let answers = await bed.participant.perform("withdraw", group: requests)
            #expect(answers.map { (try? $0.get()) != nil } == [true, false, true])
            #expect(throws: DecodingError.self) { try answers[1].get() }
            #expect(try await transactions(bed) == 1)
        }
    }

    @Test("groups over the same rows in every order, ended in every way, leave exact sums", arguments: modes + [.at])
    func atOnce(mode: BranchMode) async throws {
        try await TransactionBed.with(handlers: Self.handlers) { bed in
            let wallets = ["ann", "bob", "cid"]
            for wallet in wallets { try await bed.fill(wallet, 10_000) }
            let taken = try await withThrowingTaskGroup(of: Int64.self) { group in
                for round in 0..<20 {
                    group.addTask {
                        let parts = (0..<8).map { Part(wallet: wallets[(round + $0 * 5) % 3], amount: 1, mode: mode) }
                        var done: [XID] = []
                        for (part, answer) in zip(parts, try await ask(parts, of: bed)) {
                            do {
                                _ = try answer.get()
                            } catch BranchError.comeAlone {
                                // Too many want it for it to be free in time: then nothing is done.
                                do {
                                    try await bed.withdraw(1, from: part.wallet, mode, part.xid)
                                } catch BranchError.locked { continue }
                            }
                            done.append(part.xid)
                        }
                        // In `at` others may have held all three rows all the time.
                        #expect(mode == .at || !done.isEmpty)
                        let half = done.count / 2
                        _ = try await bed.participant.commit(Array(done[..<half]))
                        _ = try await bed.participant.rollBack(Array(done[half...]))
                        return Int64(half)
                    }
                }
                return try await group.reduce(0, +)
            }
            var left = 0
            for wallet in wallets {
                let wallet = try await bed.wallet(wallet)
                #expect(wallet.reserved == 0)
                left += wallet.balance
            }
            #expect(left == 30_000 - Int(taken))
            #expect(try await bed.leftovers() == 0)
        }
    }
}

/// The wallet's actions, of several transactions at once.
private struct ReservedTogether: TCCGroupAction {
    private let one = ReservedWithdrawal()

    func `try`(_ request: Withdrawal, in transaction: borrowing PostgresTransaction) throws -> Receipt {
        try one.try(request, in: transaction)
    }

    func `try`(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws -> [Receipt?] {
        try withdrawTogether(requests, "balance = balance - amount, reserved = reserved + amount", in: transaction)
    }

    func confirm(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws {
        try one.confirm(requests, in: transaction)
    }

    func cancel(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws {
        try one.cancel(requests, in: transaction)
    }
}

/// Writes, for the wallet 'stray', where nobody could undo it.
private struct Stray: LocalAction {
    func perform(_ request: Withdrawal, in transaction: borrowing PostgresTransaction) throws -> Receipt {
        let receipt = try PlainWithdrawal().perform(request, in: transaction)
        if request.wallet == "stray" { transaction.add("INSERT INTO outside VALUES (1)") }
        return receipt
    }
}

private struct CompensatedTogether: SagaGroupAction {
    private let one = CompensatedWithdrawal()

    func perform(_ request: Withdrawal, in transaction: borrowing PostgresTransaction) throws -> Receipt {
        try one.perform(request, in: transaction)
    }

    func perform(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws -> [Receipt?] {
        try withdrawTogether(requests, "balance = balance - amount", in: transaction)
    }

    func compensate(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws {
        try one.compensate(requests, in: transaction)
    }
}

private func withdrawTogether(
    _ requests: [Withdrawal], _ changes: String, in transaction: borrowing PostgresTransaction
) throws -> [Receipt?] {
    let rows = try transaction.query(
        "SELECT name, balance FROM wallet WHERE name = ANY($1::text[]) ORDER BY name FOR NO KEY UPDATE",
        [.texts(requests.map(\.wallet))])
    var balances: [String: Int64] = [:]
    for row in rows { balances[try row.decode(String.self, at: 0)] = try row.decode(Int64.self, at: 1) }
    var taken: [String: Int64] = [:]
    let answers = requests.map { request -> Receipt? in
        guard let balance = balances[request.wallet], balance >= request.amount else { return nil }
        balances[request.wallet] = balance - request.amount
        taken[request.wallet, default: 0] += request.amount
        return Receipt(balance: balance - request.amount)
    }
    transaction.add(
        """
        UPDATE wallet SET \(changes)
        FROM unnest($1::text[], $2::bigint[]) AS part (part_name, amount) WHERE name = part_name
        """, [.texts(Array(taken.keys)), .int64s(Array(taken.values))])
    return answers
}
