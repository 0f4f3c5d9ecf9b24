import Foundation
import Settle
import SettleCore
import SettlePostgres
import SettleSchema
import SettleTesting
import Testing

@Suite("Scripted peers", .serialized, .enabled(if: TestBase.serverURL != nil), .timeLimit(.minutes(1)))
struct ScriptedPeersTests {
    private static let library: [MigrationSet] = [
        SettleSchema.transactions, SettleSchema.at,
    ]

    private static var settings: TransactionSettings {
        var settings = TransactionSettings()
        settings.checkAfter = .milliseconds(10)
        settings.checkBackoff = Backoff(initial: .milliseconds(10), cap: .milliseconds(20))
        settings.scanInterval = .milliseconds(10)
        settings.rollbackWait = .seconds(5)
        return settings
    }

    struct Nothing: Codable, Sendable {}
    struct Note: SagaAction {
        func perform(_ request: Nothing, in transaction: borrowing PostgresTransaction) throws -> Nothing { request }
        func compensate(_ requests: [Nothing], in transaction: borrowing PostgresTransaction) throws {}
    }

    private func awaiting(_ condition: () async throws -> Bool) async throws {
        while try await !condition() { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test("a participant's check-back does what the scripted initiator says, and waits while it is away")
    func initiator() async throws {
        try await TestBase.with(Self.library) { database in
            let order = ScriptedInitiator()
            let participant = Participant(
                name: "notes", database: database, ending: database, handlers: [.saga("note", Note())],
                settings: Self.settings, logger: TestBase.quiet)
            let checkBack = CheckBack(participant: participant, peers: order, logger: TestBase.quiet)
            func branch(deadline: Duration = .seconds(60)) async throws -> XID {
                let xid = XID()
                _ = try await participant.perform(
                    "note", request: Data("{}".utf8),
                    context: BranchContext(xid: xid, mode: .saga, initiator: "order", deadline: .now + deadline))
                return xid
            }
            try await TestBase.running([checkBack]) {
                order.setAway(true)
                let (committed, overdue) = (try await branch(), try await branch(deadline: .zero))
                try await awaiting { order.questions.count > 2 }
                #expect(try await checkBack.undecided(limit: 10).count == 2)
                order.say(.commit, about: committed)
                order.setAway(false)
                try await awaiting { try await checkBack.undecided(limit: 10).isEmpty }
                #expect(
                    try await participant.rollBack([committed, overdue]) == [
                        committed: .committed, overdue: .rolledBack,
                    ])
                #expect(order.questions.contains { $0.xids == [overdue] && !$0.onlyRead && $0.initiator == "order" })
                #expect(order.questions.contains { $0.xids == [committed] && $0.onlyRead })
            }
        }
    }

    @Test("scripted participants are told what was decided, also when they were away at first")
    func participants() async throws {
        try await TestBase.with(Self.library) { database in
            let stock = ScriptedParticipants { participant, action, _ in
                if participant == "poor" { throw BranchRefusal(code: "none", detail: action) }
                return "{}"
            }
            @Sendable func call(_ participant: String, _ global: GlobalTransaction) async throws {
                let _: Data = try await global.call(participant, mode: .saga) { headers, timeout in
                    try await stock.perform(
                        "take", Data("{}".utf8), headers: headers, timeout: timeout, at: participant)
                }
            }
            let initiator = TransactionInitiator(
                selfURL: "http://here", database: database, participants: stock, settings: Self.settings,
                logger: TestBase.quiet)
            try await TestBase.running([initiator]) {
                let committed = try await initiator.run { global in
                    try await call("stock", global)
                    stock.setAway("stock", true)
                    try await database.transaction { try initiator.decide([global], in: $0) }
                    return global.xid
                }
                stock.setAway("stock", false)
                try await awaiting {
                    stock.told.contains(.init(participant: "stock", verdict: .commit, xid: committed))
                }
                await #expect(throws: BranchRefusal.self) {
                    try await initiator.run { global in
                        try await call("points", global)
                        try await call("poor", global)
                    }
                }
                #expect(stock.told.last?.participant == "points" && stock.told.last?.verdict == .rollback)
                #expect(!stock.told.contains { $0.participant == "poor" }, "it refused: there is nothing to undo")
            }
        }
    }

    @Test("scripted participants answer what an action calls further, and say whom they have called themselves")
    func further() async throws {
        try await TestBase.with(Self.library) { database in
            let others = ScriptedParticipants { participant, _, _ in
                switch participant {
                case "points": return "{}"
                case "poor": throw BranchRefusal(code: "none", detail: "no")
                default: throw BranchFailed(BranchRefusal(code: "below", detail: "no"), enlisted: ["mail"])
                }
            }
            others.setEnlisted("points", ["mail"])
            struct Named: Codable, Sendable { let name: String }
            struct Keep: SagaAction {
                func perform(_ request: Named, in transaction: borrowing PostgresTransaction) throws -> Named {
                    request
                }
                func compensate(_ requests: [Named], in transaction: borrowing PostgresTransaction) throws {}
            }
            let participant = Participant(
                name: "notes", database: database, ending: database,
                handlers: [
                    .saga(
                        "note", Keep(),
                        then: FurtherCalls { request, answer, calls in
                            try await calls.call(request.name, "spend", mode: .tcc, Nothing(), as: Nothing.self)
                            return Named(name: answer.name + "!")
                        })
                ], participants: others, settings: Self.settings, logger: TestBase.quiet)
            func perform(_ name: String) async throws -> BranchAnswer {
                try await participant.perform(
                    "note", request: Data(#"{"name":"\#(name)"}"#.utf8),
                    context: BranchContext(xid: XID(), mode: .saga, initiator: "order", deadline: .now + .seconds(9)))
            }
            let answer = try await perform("points")
            #expect(answer.enlisted == ["mail", "points"])
            #expect(try JSONDecoder().decode(Named.self, from: answer.body).name == "points!")
            for (name, code, enlisted) in [("poor", "none", []), ("failing", "below", ["failing", "mail"])] {
                do {
                    _ = try await perform(name)
                    Issue.record("\(name) did not fail")
                } catch let failed as BranchFailed {
                    #expect((failed.error as? BranchRefusal)?.code == code)
                    #expect(failed.enlisted == enlisted)
                }
            }
        }
    }
}
