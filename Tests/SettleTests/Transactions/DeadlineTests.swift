import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

@testable import Settle

@Suite("A deadline", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct DeadlineTests {
    struct Trouble: Error {}

    /// With an initiator whose process can be seen to be there.
    private func with(
        settings: TransactionSettings = TransactionBed.settings, _ body: (TransactionBed) async throws -> Void
    ) async throws {
        try await TransactionBed.with(settings: settings) { bed in
            try await bed.fill("ann")
            try await serving([bed.initiator]) {
                try await TransactionBed.await { bed.initiator.presence.process != 0 }
                try await body(bed)
            }
        }
    }

    @Test("a healthy, slow transaction is asked about before its deadline and commits", arguments: BranchMode.local)
    func slow(mode: BranchMode) async throws {
        try await with { bed in
            let xid = try await bed.initiator.run { transaction in
                try await bed.call(30, from: "ann", mode, transaction)
                try await TransactionBed.await {
                    await bed.checkBack.check()
                    return bed.wire.messages(to: TransactionBed.here).count >= 3
                }
                #expect(bed.wire.messages(to: TransactionBed.here).allSatisfy { $0.onlyRead })
                #expect(try await bed.decision(transaction.xid) == nil)
                try await bed.decide(transaction)
                return transaction.xid
            }
            #expect(try await bed.decision(xid) == "commit")
            try await bed.awaitNothingLeft()
            #expect(try await bed.wallet("ann") == .init(70))
        }
    }

    @Test("past the deadline a question ends it, although its process is there", arguments: BranchMode.local)
    func overdue(mode: BranchMode) async throws {
        try await with { bed in
            let transaction = GlobalTransaction(
                xid: XID(process: bed.initiator.presence.process), initiator: TransactionBed.here,
                deadline: .now + .milliseconds(800))
            try await bed.call(30, from: "ann", mode, transaction)
            await bed.checkBack.check()
            let leftovers = try await bed.leftovers()
            if transaction.remaining > .zero { #expect(leftovers > 0, "not yet") }
            try await TransactionBed.await(within: .seconds(20)) {
                await bed.checkBack.check()
                return try await bed.leftovers() == 0
            }
            #expect(transaction.remaining == .zero)
            #expect(try await bed.decision(transaction.xid) == "abort")
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("a rollback that its participant did not hear of is found before the deadline")
    func rollbackNotHeard() async throws {
        try await with { bed in
            await #expect(throws: Trouble.self) {
                try await bed.initiator.run { transaction in
                    try await bed.call(30, from: "ann", .at, transaction)
                    bed.wire.cut(TransactionBed.wallets)
                    throw Trouble()
                }
            }
            try await TransactionBed.await {
                await bed.checkBack.check()
                return try await bed.leftovers() == 0
            }
            #expect(bed.wire.messages(to: TransactionBed.here).allSatisfy { $0.onlyRead })
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("who only reads leaves alone what may still be decided, and ends what a process left behind")
    func onlyRead() async throws {
        try await with { bed in
            let process = bed.initiator.presence.process
            let (here, unknown, gone) = (XID(process: process), XID(), XID(process: process == 1 ? 2 : 1))
            let stranger = try #require(XID(rawValue: "stranger"))
            let answers = try await bed.initiator.decisions(on: [here, unknown, gone, stranger], onlyRead: true)
            #expect(answers == [here: .undecided, unknown: .undecided, gone: .abort, stranger: .abort])
            #expect(try await bed.decision(here) == nil)
            #expect(try await bed.initiator.decisions(on: [here, unknown]) == [here: .abort, unknown: .abort])
            #expect(try await bed.initiator.decisions(on: [here], onlyRead: true) == [here: .abort])
        }
    }

    @Test("a process is there as long as its connections are; one that lost the one in question is there again soon")
    func presence() async throws {
        try await TestDatabase.with { database in
            let mine = InitiatorPresence(database: database.pool)
            try await mine.renew()
            let xid = XID(process: mine.process)
            let other = try TestDatabase.connect(database.url, connections: 2)
            try await serving([other]) {
                let its = InitiatorPresence(database: other)
                try await its.renew()
                for _ in 1...5 { try await mine.renew() }
                #expect(mine.process != 0 && its.process != 0 && mine.process != its.process)
                #expect(try await its.left([xid, XID(process: its.process), XID()]).isEmpty)
                #expect(
                    try await database.number(
                        """
                        SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
                        WHERE locktype = 'advisory' AND classid = x'73657474'::int::oid AND datname = current_database()
                        """)
                        == 2)
                _ = try await other.query(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database
                    WHERE datname = current_database() AND locktype = 'advisory' AND objid = $1::bigint::oid
                        AND pid <> pg_backend_pid()
                    """, [.int(Int(mine.process))])
                try await TransactionBed.await { try await its.left([xid]) == [xid] }
                try await TransactionBed.await {
                    try await mine.renew()
                    return try await its.left([xid]).isEmpty
                }
            }
            // Its process has ended, as far as the database can see.
            let gone = XID(process: mine.process == 7 ? 8 : 7)
            #expect(try await mine.left([xid, gone]) == [gone])
        }
    }

    @Test("once its initiator's work is over, a transaction cannot be decided any more")
    func ended() async throws {
        try await with { bed in
            let (kept, keep) = AsyncStream.makeStream(of: GlobalTransaction.self)
            await #expect(throws: TransactionUndecided.self) {
                try await bed.initiator.run { transaction in
                    keep.yield(transaction)
                    try await bed.call(30, from: "ann", .saga, transaction)
                }
            }
            let over = try #require(await kept.first { _ in true })
            #expect(try await bed.wallet("ann") == .init(100))
            let other = GlobalTransaction(xid: XID(), initiator: TransactionBed.here, deadline: .now + .seconds(10))
            await #expect(throws: TransactionEnded.self) { try await bed.decide(other, over) }
            #expect(other.progress == .open, "nothing was sent for its neighbour")
            #expect(try await bed.decision(over.xid) == nil)
        }
    }
}
