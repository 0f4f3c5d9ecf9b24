import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

@testable import Settle

/// A participant that calls other participants: stock, as branch 1, has points pay as branch 1.1, and so on.
@Suite("Trees of branches", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(2)))
struct TreeTests {
    struct GivenUp: Error {}

    private static let modes: [(BranchMode, BranchMode)] = [
        (.at, .tcc), (.tcc, .at), (.saga, .saga), (.xa, .at), (.at, .xa),
    ]

    @Test("whoever was called in turn is known to the initiator, and they end together", arguments: modes)
    func together(stock: BranchMode, points: BranchMode) async throws {
        try await TreeBed.with { bed in
            let payment = Payment(wallet: "ann").then("points", points, Payment(wallet: "bob", amount: 5))
            try await serving([bed.initiator]) {
                try await bed.place(stock, payment) { transaction in
                    #expect(transaction.participants == ["points", "stock"])
                }
                try await bed.awaitNothingLeft()
            }
            #expect(bed.net.branches == ["stock 1", "points 1.1"])
            #expect(bed.net.told == ["points", "stock"])
            #expect(try await bed.balances() == [90, 0, 100, 0, 100, 0, 95, 0])

            await #expect(throws: GivenUp.self) {
                try await bed.place(stock, payment) { _ in throw GivenUp() }
            }
            // The initiator has waited for it.
            #expect(try await bed.leftovers() == 0)
            #expect(try await bed.balances() == [90, 0, 100, 0, 100, 0, 95, 0])
        }
    }

    @Test("the initiator numbers its calls, a branch those that it makes; two ways to one are two branches")
    func twoWays() async throws {
        try await TreeBed.with { bed in
            let further = Payment(wallet: "ann")
                .then("points", .tcc, Payment(wallet: "ann", amount: 1))
                .then("points", .saga, Payment(wallet: "ann", amount: 2))
            try await bed.initiator.run { transaction in
                try await bed.call("stock", .saga, further, transaction)
                try await bed.call("points", .tcc, Payment(wallet: "ann", amount: 4), transaction)
                #expect(transaction.participants == ["points", "stock"])
                try await bed.decide(transaction)
            }
            #expect(bed.net.branches == ["stock 1", "points 1.1", "points 1.2", "points 2"])
            try await bed.awaitNothingLeft(checkBack: true)
            #expect(try await bed.balances() == [90, 0, 100, 0, 93, 0, 100, 0])
        }
    }

    @Test("a call that comes twice does its part once, and calls the same branches again", arguments: modes)
    func twice(stock: BranchMode, points: BranchMode) async throws {
        // What is prepared cannot be asked again: that is a failure, and undone.
        guard stock != .xa, points != .xa else { return }
        for fate in [TreeNet.Fate.twice, .twiceAtOnce] {
            try await TreeBed.with { bed in
                bed.net.setFate(of: "stock", fate)
                bed.net.setFate(of: "points", fate)
                let payment = Payment(wallet: "ann")
                    .then("points", points, Payment(wallet: "bob", amount: 5))
                    .then("points", points, Payment(wallet: "bob", amount: 6))
                try await bed.place(stock, payment)
                #expect(Set(bed.net.branches) == ["stock 1", "points 1.1", "points 1.2"])
                try await bed.awaitNothingLeft(checkBack: true)
                #expect(try await bed.balances() == [90, 0, 100, 0, 100, 0, 89, 0], "\(fate)")
                for member in [bed.stock, bed.points] {
                    let count = member.database.url == bed.stock.database.url ? 1 : 2
                    #expect(try await member.database.number("SELECT count(*) FROM settle.branch") == count)
                }
            }
        }
    }

    @Test("calls that are made at once have a number each, and keep it")
    func numbers() async throws {
        try await TreeBed.with { bed in
            bed.net.setFate(of: "stock", .twice)
            var payment = Payment(wallet: "ann")
            for number in [3, 1, 2] {
                payment = payment.then("points", .tcc, Payment(wallet: "bob", amount: Int64(number)), number: number)
            }
            payment.isAtOnce = true
            try await bed.place(.tcc, payment)
            try await bed.awaitNothingLeft(checkBack: true)
            #expect(Set(bed.net.branches) == ["stock 1", "points 1.1", "points 1.2", "points 1.3"])
            #expect(try await bed.balances() == [90, 0, 100, 0, 100, 0, 94, 0])
        }
    }

    @Test("the number after an explicit one is the next")
    func nextNumber() throws {
        let caller = BranchCaller(
            xid: XID(), initiator: "order", initiatorName: nil, deadline: .now + .seconds(1))
        #expect(try caller.nextBranch().rawValue == "1")
        #expect(try caller.nextBranch(7).rawValue == "7")
        #expect(try caller.nextBranch(3).rawValue == "3")
        #expect(try caller.nextBranch().rawValue == "8")
        #expect(throws: BranchCallError.numberTooSmall) { try caller.nextBranch(0) }
    }

    @Test("a further participant refuses: its error is the caller's, and nothing can be decided any more")
    func refused() async throws {
        try await TreeBed.with { bed in
            let payment = Payment(wallet: "ann").then("points", .tcc, Payment(wallet: "bob", amount: 1_000))
            await #expect(throws: BranchRefusal(code: "insufficient-funds", detail: "not enough money")) {
                try await bed.place(.saga, payment)
            }
            try await bed.expectUntouched()

            await #expect(throws: TransactionDoomed.self) {
                try await bed.initiator.run { transaction in
                    try await swallow { try await bed.call("stock", .saga, payment, transaction) }
                    #expect(transaction.participants == ["stock"])
                    try await bed.decide(transaction)
                }
            }
            try await bed.expectUntouched()
        }
    }

    /// As a careless initiator.
    private func swallow(_ body: () async throws -> Void) async throws {
        do { try await body() } catch is BranchRefusal {} catch is TreeNet.Lost {}
    }

    @Test("a refusal may be swallowed where it comes from; the initiator's own calls as well")
    func swallowed() async throws {
        try await TreeBed.with { bed in
            var payment = Payment(wallet: "ann").then("points", .tcc, Payment(wallet: "bob", amount: 1_000))
            payment.further[0].isSwallowed = true
            try await bed.initiator.run { transaction in
                try await bed.call("stock", .saga, payment, transaction)
                await #expect(throws: BranchRefusal.self) {
                    try await bed.call("points", .tcc, Payment(wallet: "ann", amount: 1_000), transaction)
                }
                #expect(transaction.participants == ["stock"])
                try await bed.decide(transaction)
            }
            try await bed.awaitNothingLeft(checkBack: true)
            #expect(try await bed.balances() == [90, 0, 100, 0, 100, 0, 100, 0])
        }
    }

    @Test(
        "a further participant is away, or its answer lost: whoever swallows that, all of it is rolled back",
        arguments: [TreeNet.Fate.lost, .answerLost], [false, true])
    func away(fate: TreeNet.Fate, isSwallowed: Bool) async throws {
        try await TreeBed.with { bed in
            bed.net.setFate(of: "points", fate)
            var payment = Payment(wallet: "ann").then("points", .tcc, Payment(wallet: "bob"))
            payment.further[0].isSwallowed = isSwallowed
            await #expect(throws: TreeNet.Lost.self) {
                try await bed.initiator.run { transaction in
                    do {
                        try await bed.call("stock", .at, payment, transaction)
                    } catch {
                        #expect(transaction.participants == ["points", "stock"])
                        throw error
                    }
                }
            }
            try await bed.expectUntouched()
        }
    }

    @Test("the answer of who called further is lost: those further down hear of it when they ask, before the deadline")
    func answerLost() async throws {
        try await TreeBed.with { bed in
            bed.net.setFate(of: "stock", .answerLost)
            let payment = Payment(wallet: "ann").then("points", .tcc, Payment(wallet: "bob"))
            await #expect(throws: TransactionDoomed.self) {
                try await bed.initiator.run { transaction in
                    try await swallow { try await bed.call("stock", .at, payment, transaction) }
                    #expect(transaction.participants == ["stock"])
                    try await bed.decide(transaction)
                }
            }
            #expect(bed.net.told == ["stock"])
            #expect(
                try await bed.points.database.number("SELECT count(*) FROM settle.branch WHERE ended_at IS NULL") == 1)
            try await bed.awaitNothingLeft(checkBack: true)
            #expect(try await bed.balances() == TreeBed.untouched)
        }
    }

    @Test(
        "in a circle it is one more branch, and in mode at nobody waits for himself",
        arguments: [BranchMode.at, .tcc, .xa, .saga])
    func circle(mode: BranchMode) async throws {
        try await TreeBed.with { bed in
            // PostgreSQL itself holds what is prepared: there each branch needs rows of its own.
            let back = Payment(wallet: mode == .xa ? "bob" : "ann", amount: 3)
            let payment = Payment(wallet: "ann").then("points", mode, Payment(wallet: "bob").then("stock", mode, back))
            await #expect(throws: GivenUp.self) { try await bed.place(mode, payment) { _ in throw GivenUp() } }
            try await bed.expectUntouched()

            try await bed.place(mode, payment)
            #expect(bed.net.branches.suffix(3) == ["stock 1", "points 1.1", "stock 1.1.1"])
            try await bed.awaitNothingLeft(checkBack: true)
            let stock = mode == .xa ? [90, 0, 97, 0] : [87, 0, 100, 0]
            #expect(try await bed.balances() == stock + [100, 0, 90, 0])
        }
    }

    @Test("calls may be eight deep, and no deeper")
    func depth() async throws {
        try await TreeBed.with { bed in
            func chain(_ depth: Int) -> Payment {
                (1..<depth).reduce(Payment(wallet: "ann", amount: 1)) { below, level in
                    Payment(wallet: "ann", amount: 1).then((depth - level) % 2 == 0 ? "stock" : "points", .tcc, below)
                }
            }
            try await bed.place(.tcc, chain(8))
            try await bed.awaitNothingLeft(checkBack: true)
            #expect(bed.net.branches.last == "points 1.1.1.1.1.1.1.1")
            #expect(try await bed.balances() == [96, 0, 100, 0, 96, 0, 100, 0])
            await #expect(throws: BranchCallError.tooDeep) { try await bed.place(.tcc, chain(9)) }
            #expect(try await bed.leftovers() == 0)
            #expect(try await bed.balances() == [96, 0, 100, 0, 96, 0, 100, 0])
        }
    }

    @Test("a participant says that it has called one whom nobody knows: a clear error, and all is rolled back")
    func unknown() async throws {
        try await TreeBed.with { bed in
            bed.net.estrange("points")
            let payment = Payment(wallet: "ann").then("points", .tcc, Payment(wallet: "bob"))
            await #expect(throws: BranchCallError.unknownParticipant("points")) {
                try await bed.place(.at, payment)
            }
            // It could not be told; but it asks.
            #expect(bed.net.told == ["stock"])
            try await bed.awaitNothingLeft(checkBack: true)
            #expect(try await bed.balances() == TreeBed.untouched)
        }
    }

    @Test("no more than sixty-four participants, whoever has called them")
    func tooMany() async throws {
        let caller = BranchCaller(xid: XID(), initiator: "order", initiatorName: nil, deadline: .now + .seconds(9))
        let names = (1...63).map { "service-\($0)" }
        try await caller.call("stock", mode: .tcc) { _, _ -> BranchReply<Void> in .done((), enlisted: names) }
        #expect(caller.participants.count == 64 && caller.doom == nil)
        // One of them again is no other one.
        try await caller.call("service-7", mode: .tcc) { _, _ -> BranchReply<Void> in .done((), enlisted: ["stock"]) }
        await #expect(throws: BranchCallError.tooManyParticipants) {
            try await caller.call("one-more", mode: .tcc) { _, _ -> BranchReply<Void> in
                Issue.record("it must not be sent")
                return .done(())
            }
        }
        #expect(caller.doom == nil)
        await #expect(throws: BranchCallError.tooManyParticipants) {
            try await caller.call("stock", mode: .tcc) { _, _ -> BranchReply<Void> in .done((), enlisted: ["one-more"])
            }
        }
        #expect(caller.doom != nil && caller.mayBeIncomplete)
    }

    @Test("a name that is none is refused", arguments: ["", "a b", "a,b", "ä", String(repeating: "x", count: 91)])
    func noName(name: String) async throws {
        let caller = BranchCaller(xid: XID(), initiator: "order", initiatorName: nil, deadline: .now + .seconds(9))
        await #expect(throws: BranchCallError.unknownParticipant(name)) {
            try await caller.call("stock", mode: .tcc) { _, _ -> BranchReply<Void> in .done((), enlisted: [name]) }
        }
        #expect(caller.participants == ["stock"])
    }

    @Test("the time shrinks along the way, and who decides stays the same")
    func deadline() async throws {
        try await TreeBed.with { bed in
            let third = Payment(wallet: "ann").then("points", .tcc, Payment(wallet: "ann"))
            try await bed.place(
                .tcc, Payment(wallet: "ann").then("points", .tcc, Payment(wallet: "bob").then("stock", .tcc, third)))
            let calls = bed.net.calls
            #expect(calls.map(\.branch) == ["1", "1.1", "1.1.1", "1.1.1.1"])
            for (caller, called) in zip(calls, calls.dropFirst()) {
                #expect(called.wait <= caller.wait * 3 / 4 && called.wait > caller.wait / 4, "\(calls)")
                #expect(called.left <= caller.left)
            }
            #expect(calls.allSatisfy { $0.initiator == [TransactionBed.here, "order"] })
            try await bed.awaitNothingLeft(checkBack: true)
        }
    }

    @Test("a call for which no time is left is not sent")
    func tooLate() async throws {
        let context = BranchContext(
            xid: XID(), mode: .at, initiator: "order", deadline: .now + .seconds(5), answerBy: .now)
        let caller = BranchCaller(context, standard: .seconds(10))
        await #expect(throws: TransactionTooLate.self) {
            try await caller.call("points", mode: .tcc) { _, _ -> BranchReply<Void> in
                Issue.record("it must not be sent")
                return .done(())
            }
        }
        #expect(caller.participants.isEmpty)
    }

    @Test("in a group, parts that go on are done, and come again alone; the others are answered at once")
    func groups() async throws {
        try await TreeBed.with { bed in
            let plain = Payment(wallet: "ann")
            let further = plain.then("points", .tcc, Payment(wallet: "bob", amount: 5))
            for mode in [BranchMode.at, .tcc, .saga, .xa] {
                let requests = try [plain, further, plain].enumerated().map { index, payment in
                    BranchRequest(
                        body: try JSONEncoder().encode(
                            mode == .at || mode == .xa
                                ? Payment(wallet: ["ann", "bob", "cid"][index], further: payment.further) : payment),
                        context: BranchContext(xid: XID(), mode: mode, initiator: "order"))
                }
                _ = try await bed.stock.database.pool.query(
                    "INSERT INTO wallet (name, balance) VALUES ('cid', 100) ON CONFLICT DO NOTHING")
                let calls = bed.net.calls.count
                let answers = await bed.stock.participant.perform("pay", group: requests)
                #expect(bed.net.calls.count == calls, "nobody waits for points")
                #expect(answers.map { (try? $0.get()) != nil } == [true, false, true])
                #expect(throws: mode == .xa ? BranchError.comeAlone : .goesOnAlone) { try answers[1].get() }
                let count = try await bed.stock.database.number(
                    "SELECT count(*) FROM settle.branch WHERE xid = $1", [.text(requests[1].context.xid.rawValue)])
                #expect(count == (mode == .xa ? 0 : 1))

                let alone = try await bed.stock.participant.perform(
                    "pay", request: requests[1].body, context: requests[1].context)
                #expect(alone.enlisted == ["points"])
                for member in [bed.stock, bed.points] {
                    _ = try await member.participant.rollBack(requests.map(\.context.xid))
                }
                #expect(try await bed.leftovers() == 0)
                #expect(try await bed.balances() == [100, 0, 100, 0, 100, 0] + TreeBed.untouched.dropFirst(4))
            }
        }
    }

    @Test("a group of one goes on where it is")
    func groupOfOne() async throws {
        try await TreeBed.with { bed in
            let request = BranchRequest(
                body: try JSONEncoder().encode(Payment(wallet: "ann").then("points", .at, Payment(wallet: "bob"))),
                context: BranchContext(xid: XID(), mode: .at, initiator: "order"))
            let answers = await bed.stock.participant.perform("pay", group: [request])
            #expect(try answers.map { try $0.get().enlisted } == [["points"]])
        }
    }
}
