import SettlePostgres
import Testing

@testable import Settle

@Suite("Refusals", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct PrematureRefusalTests {
    @Test(
        "what rests on a row that an undecided transaction holds waits for its end, as a success would",
        arguments: [BranchMode.at, .tcc, .saga], [true, false])
    func waits(mode: BranchMode, holderCommits: Bool) async throws {
        var settings = TransactionBed.settings
        settings.lockTimeout = .seconds(10)
        try await TransactionBed.with(settings: settings) { bed in
            try await bed.fill("ann")
            let (holder, waiter) = (XID(), XID())
            try await bed.withdraw(80, from: "ann", .at, holder)
            let waiting = Task { try await bed.withdraw(50, from: "ann", mode, waiter) }
            try await TransactionBed.await { bed.participant.waiting.hasWaiters }
            if holderCommits {
                _ = try await bed.participant.commit([holder])
                await #expect(throws: BranchRefusal.self) { try await waiting.value }
                #expect(try await bed.wallet("ann") == .init(20))
            } else {
                _ = try await bed.participant.rollBack([holder])
                #expect(try await waiting.value == Receipt(balance: 50))
            }
        }
    }

    @Test("a row that is not there may be back: its deletion is undecided")
    func deleted() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.database.pool.transaction { transaction in
                transaction.add("SELECT set_config('settle.xid', 'holder', true)")
                transaction.add("DELETE FROM wallet")
            }
            await #expect(throws: BranchError.locked) { try await bed.withdraw(50, from: "ann", .at, XID()) }
            _ = try await bed.database.pool.query("SELECT settle.at_rollback('holder')")
            #expect(try await bed.withdraw(50, from: "ann", .at, XID()) == Receipt(balance: 50))
        }
    }

    @Test("one's own rows, others' rows and tables that are not enrolled are in nobody's way")
    func plain() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.fill("bob")
            try await bed.withdraw(80, from: "bob", .at, XID())
            await #expect(throws: BranchRefusal.self) { try await bed.withdraw(101, from: "ann", .at, XID()) }
            try await bed.database.pool.transaction { transaction in
                transaction.add("SELECT set_config('settle.xid', 'mine', true)")
                transaction.add("UPDATE wallet SET balance = 1 WHERE name = 'ann'")
                for table in ["wallet", "settle.branch"] {
                    try transaction.checkRefusal(table, keys: ["ann"], unless: "SELECT WHERE false", [])
                }
                #expect(throws: RowsChanged.self) {
                    try transaction.checkRefusal("wallet", keys: ["ann"], unless: "SELECT WHERE $1", [.bool(true)])
                }
            }
        }
    }
}
