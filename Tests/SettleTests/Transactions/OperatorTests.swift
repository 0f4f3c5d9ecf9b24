import SettlePostgres
import Testing

@testable import Settle

@Suite(
    "An operator decides", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct OperatorTests {
    private func decide(
        _ bed: TransactionBed, _ xid: XID, commit: Bool, by operator: String = "eve", force: Bool = false
    ) async throws -> OperatorDecision {
        try await bed.checkBack.decide(xid, commit: commit, by: `operator`, because: "order is gone", force: force)
    }

    private func refusal(
        _ bed: TransactionBed, _ xid: XID, commit: Bool, force: Bool = false
    ) async throws -> OperatorDecisionRefusal? {
        do {
            _ = try await decide(bed, xid, commit: commit, force: force)
            return nil
        } catch let refusal as OperatorDecisionRefusal {
            return refusal
        }
    }

    private func records(_ bed: TransactionBed) async throws -> Int {
        try await bed.database.number("SELECT count(*) FROM settle.operator_decision")
    }

    @Test(
        "on a branch whose initiator configuration does not know: it ends so, and who did it is on record",
        arguments: BranchMode.local, [true, false])
    func unresolved(mode: BranchMode, commit: Bool) async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let xid = XID()
            try await bed.withdraw(30, from: "ann", mode, xid)
            bed.wire.estrange(TransactionBed.here)
            await bed.checkBack.check()
            #expect(try await bed.checkBack.undecided(limit: 10).map(\.unresolved) == [true])
            #expect(bed.wire.messages(to: TransactionBed.here).isEmpty)
            let decided = try await decide(bed, xid, commit: commit)
            #expect(decided.outcome == (commit ? .committed : .rolledBack))
            #expect(decided.initiatorSaid == "unresolved")
            #expect(decided.operator == "eve")
            #expect(try await bed.wallet("ann") == .init(commit ? 70 : 100))
            #expect(try await bed.leftovers() == 0)
            #expect(try await decide(bed, xid, commit: commit, by: "bob") == decided, "again: nothing changes")
            #expect(try await refusal(bed, xid, commit: !commit) == .operatorDecidedOtherwise)
            #expect(try await bed.checkBack.operatorDecisions(limit: 10) == [decided])
            #expect(bed.wire.messages(to: TransactionBed.here).isEmpty)
        }
    }

    @Test("what the initiator has decided holds, whatever the operator says")
    func decidedOtherwise() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.fill("bob")
            let dead = XID()
            try await bed.withdraw(30, from: "ann", .at, dead)
            let committed = try await bed.initiator.run { transaction in
                try await bed.call(30, from: "bob", .at, transaction)
                try await bed.decide(transaction)
                return transaction.xid
            }
            #expect(try await refusal(bed, committed, commit: false, force: true) == .decidedOtherwise(.commit))
            #expect(try await refusal(bed, dead, commit: true, force: true) == .decidedOtherwise(.abort))
            #expect(try await records(bed) == 0)
            #expect(try await bed.state(dead) == .undecided)
            #expect(try await decide(bed, dead, commit: false).initiatorSaid == "abort")
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("an initiator that cannot be asked may still decide until the deadline; only force goes on")
    func unreachable() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.fill("bob")
            bed.wire.cut(TransactionBed.here)
            let xids = [XID(), XID(), XID()]
            try await bed.withdraw(30, from: "ann", .at, xids[0])
            #expect(try await refusal(bed, xids[0], commit: false) == .mayStillDecide)
            #expect(try await records(bed) == 0)
            let forced = try await decide(bed, xids[0], commit: false, force: true)
            #expect(forced.forced)
            #expect(forced.initiatorSaid == "unreachable")
            #expect(try await bed.wallet("ann") == .init(100))
            // An hour later nobody need insist.
            try await bed.withdraw(30, from: "bob", .tcc, xids[1])
            _ = try await bed.database.pool.query("UPDATE settle.branch SET deadline = now() - interval '1 hour'")
            #expect(try await decide(bed, xids[1], commit: true).outcome == .committed)
            #expect(try await bed.wallet("bob") == .init(70))
            #expect(try await refusal(bed, xids[2], commit: true) == .unknown)
        }
    }

    @Test("a branch that has ended is not decided on")
    func ended() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let xid = XID()
            try await bed.withdraw(30, from: "ann", .xa, xid)
            _ = try await bed.participant.rollBack([xid])
            // Only the memory of a rollback is left of a prepared one.
            #expect(try await refusal(bed, xid, commit: true) == .unknown)
            let other = XID()
            try await bed.withdraw(30, from: "ann", .saga, other)
            _ = try await bed.participant.commit([other])
            #expect(try await refusal(bed, other, commit: false, force: true) == .ended(.committed))
        }
    }

    @Test("a branch that cannot be ended now is ended by the same decision later")
    func later() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let xid = XID()
            try await bed.withdraw(30, from: "ann", .at, xid)
            bed.wire.estrange(TransactionBed.here)
            _ = try await bed.database.pool.transaction { transaction in
                transaction.add("SET LOCAL session_replication_role = replica")
                transaction.add("UPDATE wallet SET balance = 1 WHERE name = 'ann'")
            }
            #expect(try await decide(bed, xid, commit: false).outcome == nil)
            _ = try await bed.database.pool.query(
                #"SELECT settle.at_resolve($1, 'wallet', '{"name": "ann"}', 'restore')"#, [.text(xid.rawValue)])
            #expect(try await decide(bed, xid, commit: false).outcome == .rolledBack)
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("a row that was changed past the guard is shown as it was, became and is; a choice puts it right")
    func dirtyRow() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let xid = XID()
            try await bed.withdraw(30, from: "ann", .at, xid)
            #expect(try await bed.checkBack.dirtyRows(limit: 10).isEmpty)
            _ = try await bed.database.pool.transaction { transaction in
                transaction.add("SET LOCAL session_replication_role = replica")
                transaction.add("UPDATE wallet SET balance = 1 WHERE name = 'ann'")
            }
            _ = try await bed.participant.rollBack([xid])
            let row = try #require(try await bed.checkBack.dirtyRows(limit: 10).first)
            #expect(row.xid == xid.rawValue && row.table == "wallet" && row.key == #"{"name": "ann"}"#)
            #expect(row.before?.contains(#""balance": 100"#) ?? false)
            #expect(row.after?.contains(#""balance": 70"#) ?? false)
            #expect(row.now?.contains(#""balance": 1,"#) ?? row.now?.contains(#""balance": 1}"#) ?? false)
            #expect(row.changed == ["balance"] && row.differs && row.choice == nil)
            for (choice, refusal) in [
                (DirtyRowChoice(xid: XID(), table: row.table, key: row.key, kind: .keep), DirtyRowRefusal.unknown),
                (.init(xid: xid, table: "no_such_table", key: row.key, kind: .keep), .unknown),
                (.init(xid: xid, table: row.table, key: #"{"name": "bob"}"#, kind: .keep), .unknown),
                (.init(xid: xid, table: "a.b.c", key: row.key, kind: .keep), .unknown),
                (.init(xid: xid, table: "a.b.c.d", key: row.key, kind: .keep), .unknown),
                (.init(xid: xid, table: #""a"#, key: row.key, kind: .keep), .unknown),
                (.init(xid: xid, table: ".", key: row.key, kind: .keep), .unknown),
                (.init(xid: xid, table: row.table, key: "no json", kind: .keep), .unreadableKey),
                (.init(xid: xid, table: row.table, key: #""\u0000""#, kind: .keep), .unreadableKey),
                (.init(xid: xid, table: row.table, key: "1e999999", kind: .keep), .unreadableKey),
            ] {
                await #expect(throws: refusal) {
                    try await bed.checkBack.resolve(choice, by: "eve", because: "a test")
                }
            }
            let choice = DirtyRowChoice(xid: xid, table: row.table, key: row.key, kind: .restore)
            #expect(try await bed.checkBack.resolve(choice, by: "eve", because: "a test") == "rolledBack")
            #expect(try await bed.checkBack.dirtyRows(limit: 10).isEmpty)
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test(
        "what became of a transaction is seen on both sides, while it waits and afterwards",
        arguments: BranchMode.local)
    func records(mode: BranchMode) async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let waiting = XID()
            try await bed.withdraw(30, from: "ann", mode, waiting)
            let open = try #require(try await bed.checkBack.branches(of: [waiting]).first)
            #expect(open.state == (mode == .xa ? "prepared" : "undecided") && open.endedAt == nil)
            _ = try await bed.participant.rollBack([waiting])
            let ended = try #require(try await bed.checkBack.branches(of: [waiting]).first)
            #expect(ended.state == "rolledBack" && ended.endedAt != nil)
            let xid = try await bed.initiator.run { transaction in
                try await bed.call(30, from: "ann", mode, transaction)
                try await bed.decide(transaction)
                return transaction.xid
            }
            let decision = try #require(try await bed.initiator.record(of: xid))
            #expect(decision.decision == .commit && decision.participants.count == 1)
            #expect(try await bed.initiator.records(isOpen: false, limit: 10).map(\.xid) == [xid.rawValue])
            #expect(try await bed.initiator.record(of: XID()) == nil)
            #expect(try await bed.checkBack.branches(of: [XID()]).isEmpty)
        }
    }
}
