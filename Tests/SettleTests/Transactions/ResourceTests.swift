import Foundation
import SettleCore
import SettlePostgres
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle

@Suite(
    "Mode mt: parts over a resource", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(2)))
struct ResourceTests {
    /// A participant that takes coins out of a resource, beside what it does in its database.
    private static func with(
        isGroup: Bool = false, settings: TransactionSettings = TransactionBed.settings,
        failpoints: Failpoints = .none, _ body: (TransactionBed, ScriptedResource) async throws -> Void
    ) async throws {
        let resource = ScriptedResource()
        let action = TakeCoins(resource: resource)
        let handler: BranchHandler = isGroup ? .mt("take", TakeCoinsTogether(one: action)) : .mt("take", action)
        try await TransactionBed.with(
            settings: settings, failpoints: failpoints, handlers: walletHandlers + [handler]
        ) { bed in
            try await bed.fill("coins")
            try await bed.fill("ann")
            try await body(bed, resource)
        }
    }

    private static func request(_ amount: Int64, _ xid: XID, _ branch: BranchID = .first) throws -> BranchRequest {
        BranchRequest(
            body: try JSONEncoder().encode(Coins(amount: amount)),
            context: BranchContext(xid: xid, branch: branch, mode: .mt, initiator: TransactionBed.here))
    }

    @discardableResult
    private static func take(
        _ amount: Int64, _ xid: XID, _ branch: BranchID, _ bed: TransactionBed
    ) async throws -> CoinsLeft {
        let request = try request(amount, xid, branch)
        let answer = try await bed.participant.perform("take", request: request.body, context: request.context)
        return try JSONDecoder().decode(CoinsLeft.self, from: answer.body)
    }

    private static func states(_ bed: TransactionBed) async throws -> [String] {
        try await bed.checkBack.undecided(limit: 10).map(\.state)
    }

    @Test(
        "are prepared, and committed or rolled back; once, however often it is asked", arguments: [true, false],
        [true, false])
    func ends(commit: Bool, isGroup: Bool) async throws {
        try await Self.with(isGroup: isGroup) { bed, resource in
            let xid = XID()
            #expect(try await Self.take(30, xid, .first, bed) == CoinsLeft(left: 70))
            #expect(try await Self.take(30, xid, .first, bed) == CoinsLeft(left: 70), "again")
            await #expect(throws: BranchError.otherRequest) { try await Self.take(31, xid, .first, bed) }
            #expect(resource.left == 70)
            #expect(try await Self.states(bed) == ["prepared"])
            for _ in 1...3 {
                let outcomes = try await commit ? bed.participant.commit([xid]) : bed.participant.rollBack([xid])
                #expect(outcomes == [xid: commit ? .committed : .rolledBack])
            }
            #expect(resource.left == (commit ? 70 : 100))
            #expect(resource.isEmpty)
            #expect(try await bed.wallet("coins") == .init(commit ? 70 : 100), "booked once")
            #expect(try await bed.leftovers() == 0)
            if !commit {
                await #expect(throws: BranchError.transactionIsOver) { try await Self.take(30, xid, .first, bed) }
            }
        }
    }

    @Test("beside the other modes in one transaction end with them", arguments: [true, false])
    func mixed(commit: Bool) async throws {
        try await Self.with { bed, resource in
            let xid = XID()
            for (number, mode) in BranchMode.local.enumerated() {
                try await bed.fill("\(mode)")
                try await bed.withdraw(10, from: "\(mode)", mode, xid, .call(number + 1))
            }
            try await Self.take(10, xid, .call(5), bed)
            try await Self.take(20, xid, .call(6), bed)
            let outcomes = try await commit ? bed.participant.commit([xid]) : bed.participant.rollBack([xid])
            #expect(outcomes == [xid: commit ? .committed : .rolledBack])
            for mode in BranchMode.local { #expect(try await bed.wallet("\(mode)") == .init(commit ? 90 : 100)) }
            #expect(resource.left == (commit ? 70 : 100))
            #expect(try await bed.wallet("coins") == .init(commit ? 70 : 100))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("that are refused leave nothing, and the transaction may ask for less")
    func refused() async throws {
        try await Self.with { bed, resource in
            let xid = XID()
            await #expect(throws: BranchRefusal.self) { try await Self.take(101, xid, .first, bed) }
            #expect(try await bed.leftovers() == 0)
            #expect(try await bed.checkBack.branches(of: [xid]).isEmpty)
            #expect(try await Self.take(50, xid, .first, bed) == CoinsLeft(left: 50))
            _ = try await bed.participant.commit([xid])
            #expect(resource.left == 50)
        }
    }

    @Test("in a group are remembered together, and each has its own answer", arguments: [true, false])
    func grouped(isGroup: Bool) async throws {
        try await Self.with(isGroup: isGroup) { bed, resource in
            let xids = (0..<4).map { _ in XID() }
            let requests = try zip(xids, [30, 200, 20, 10]).map { try Self.request($1, $0) }
            let answers = await bed.participant.perform("take", group: requests)
            #expect(answers.map { (try? $0.get()) != nil } == [true, false, true, true])
            #expect(resource.left == 40)
            _ = try await bed.participant.commit([xids[0], xids[2]])
            _ = try await bed.participant.rollBack([xids[1], xids[3]])
            #expect(resource.left == 50)
            #expect(try await bed.wallet("coins") == .init(50))
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("whose resource is away at prepare are refused, and undone when it is back, by check-back")
    func awayAtPrepare() async throws {
        try await Self.with { bed, resource in
            let xid = XID()
            resource.setAway("prepare", "rollback")
            await #expect(throws: BranchError.resourceAway) { try await Self.take(10, xid, .first, bed) }
            #expect(try await Self.states(bed) == ["preparing"])
            #expect(try await bed.participant.rollBack([xid]).isEmpty, "it cannot be undone yet")
            let waiting = try #require(try await bed.checkBack.undecided(limit: 1).first)
            #expect(waiting.tries == 1)
            #expect(waiting.errormsg?.contains("Away") == true)
            resource.setAway()
            try await TransactionBed.await { try await bed.participant.rollBack([xid]) == [xid: .rolledBack] }
            #expect(resource.left == 100)
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("whose resource is away at their end are tried again; the others of the transaction, and of others, end")
    func awayAtEnd() async throws {
        try await Self.with { bed, resource in
            let (xid, other) = (XID(), XID())
            try await bed.withdraw(10, from: "ann", .at, xid)
            try await Self.take(10, xid, .call(2), bed)
            try await Self.take(20, other, .first, bed)
            resource.state.withLock { _ = $0.poisoned.insert("\(xid)/2") }
            #expect(try await bed.participant.commit([xid, other]) == [other: .committed])
            #expect(try await bed.state(xid) == .committed)
            // The row is free: a plain writer changes it.
            _ = try await bed.database.pool.query("UPDATE wallet SET balance = balance + 0 WHERE name = 'ann'")
            #expect(try await bed.wallet("coins") == .init(80))
            resource.state.withLock { $0.poisoned = [] }
            try await TransactionBed.await { try await bed.participant.commit([xid]) == [xid: .committed] }
            #expect(try await bed.wallet("coins") == .init(70), "booked once")
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("are not tried again before their time")
    func backoff() async throws {
        var settings = TransactionBed.settings
        settings.checkBackoff = .init(initial: .seconds(600), cap: .seconds(600))
        try await Self.with(settings: settings) { bed, resource in
            let xid = XID()
            try await Self.take(10, xid, .first, bed)
            resource.setAway("commit")
            for _ in 1...5 { #expect(try await bed.participant.commit([xid]).isEmpty) }
            #expect(resource.calls.count { $0.hasPrefix("commit") } == 1)
            _ = try await bed.database.pool.query("UPDATE settle.branch SET retry_time = now()")
            resource.setAway()
            #expect(try await bed.participant.commit([xid]) == [xid: .committed])
        }
    }

    @Test("that hang are given up in time, and what they take later is fenced off")
    func latePrepare() async throws {
        var settings = TransactionBed.settings
        settings.resourceTimeout = .milliseconds(100)
        try await Self.with(settings: settings) { bed, resource in
            let (xid, gate) = (XID(), Gate())
            resource.prepareGate.withLock { $0 = gate }
            await #expect(throws: BranchError.resourceAway) { try await Self.take(10, xid, .first, bed) }
            try await gate.reached()
            #expect(try await bed.participant.rollBack([xid]) == [xid: .rolledBack])
            gate.open()
            try await eventually { resource.calls.contains { $0.hasPrefix("prepare") } }
            #expect(resource.left == 100)
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("that are rolled back while they are prepared answer that it is over")
    func rolledBackMeanwhile() async throws {
        try await Self.with { bed, resource in
            let (xid, gate) = (XID(), Gate())
            resource.prepareGate.withLock { $0 = gate }
            let answer = Task { try await Self.take(10, xid, .first, bed) }
            try await gate.reached()
            #expect(try await Self.states(bed) == ["preparing"])
            // A copy of the request does not do it a second time.
            await #expect(throws: BranchError.prepared) { try await Self.take(10, xid, .first, bed) }
            #expect(try await bed.participant.rollBack([xid]) == [xid: .rolledBack])
            gate.open()
            await #expect(throws: (any Error).self) { try await answer.value }
            #expect(resource.left == 100)
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test(
        "end rightly wherever it crashes",
        arguments: [
            "branch.remembered", "branch.prepared", "branch.beforeCommitResource", "branch.duringCommit",
            "branch.beforeRollbackResource", "branch.duringRollback",
        ])
    func crashes(point: String) async throws {
        try await Self.with(failpoints: try Failpoints("\(point)=throw@1")) { bed, resource in
            let xid = XID()
            let isEnd = point.contains("ommit") || point.contains("ollback")
            if isEnd {
                try await Self.take(10, xid, .first, bed)
            } else {
                await #expect(throws: (any Error).self) { try await Self.take(10, xid, .first, bed) }
            }
            let commit = point.contains("ommit")
            // What was thrown is as a process that dies there; the next one is asked again.
            try await TransactionBed.await {
                let outcomes = try? await commit ? bed.participant.commit([xid]) : bed.participant.rollBack([xid])
                return outcomes == [xid: commit ? .committed : .rolledBack]
            }
            #expect(resource.left == (commit ? 90 : 100))
            #expect(resource.isEmpty)
            #expect(try await bed.wallet("coins") == .init(commit ? 90 : 100), "booked once")
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("told to commit what was never prepared undo it, and forget it")
    func neverPrepared() async throws {
        try await Self.with(failpoints: try Failpoints("branch.remembered=throw@1")) { bed, resource in
            let xid = XID()
            await #expect(throws: (any Error).self) { try await Self.take(10, xid, .first, bed) }
            let states = try await Self.states(bed)
            #expect(states == ["preparing"])
            #expect(try await bed.participant.commit([xid]) == [xid: .committed])
            #expect(resource.left == 100)
            #expect(try await bed.wallet("coins") == .init(100))
            #expect(try await bed.leftovers() == 0)
        }
    }
}
