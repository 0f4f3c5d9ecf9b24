import Foundation
import Logging
import SettlePostgres
import SettleTestSupport
import Testing

@testable import Settle

@Suite("A participant in mode at", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct ATSafetyTests {
    /// An action that also writes down what it did.
    private struct NotedWithdrawal: LocalAction {
        let note: String

        func perform(_ request: Withdrawal, in transaction: borrowing PostgresTransaction) throws -> Receipt {
            let receipt = try PlainWithdrawal().perform(request, in: transaction)
            transaction.add(note)
            return receipt
        }
    }

    private func participant(
        _ bed: TransactionBed, _ note: String, log: LogCollector = LogCollector()
    ) -> Participant {
        Participant(
            name: "wallets", database: bed.database.pool, ending: bed.database.pool,
            handlers: [
                .at("withdraw", NotedWithdrawal(note: note)), .xa("withdraw", NotedWithdrawal(note: note)),
            ],
            settings: bed.settings, logger: Logger(label: "test") { _ in log.handler })
    }

    private func withdraw(_ participant: Participant, _ mode: BranchMode = .at, _ xid: XID = XID()) async throws {
        _ = try await participant.perform(
            "withdraw", request: JSONEncoder().encode(Withdrawal(wallet: "ann", amount: 30)),
            context: BranchContext(xid: xid, mode: mode, initiator: TransactionBed.here))
    }

    @Test(
        "does not write what it could not undo: the table is named, and nothing stays",
        arguments: [
            "INSERT INTO diary VALUES (2)", "UPDATE diary SET n = 3", "DELETE FROM diary",
            "INSERT INTO shop.diary VALUES (2)", "INSERT INTO parts VALUES (2)",
        ])
    func outside(note: String) async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.database.pool.script(
                """
                CREATE SCHEMA shop; CREATE TABLE shop.diary (n int); CREATE TABLE diary (n int);
                CREATE TABLE parts (n int) PARTITION BY RANGE (n); CREATE TABLE one PARTITION OF parts DEFAULT;
                INSERT INTO diary VALUES (1);
                """)
            let log = LogCollector()
            let participant = participant(bed, note, log: log)
            let error = await #expect(throws: PostgresError.self) { try await withdraw(participant) }
            #expect(error?.sqlState == "ST004")
            #expect(log.lines.contains { $0.hasPrefix("error") && ($0.contains("diary") || $0.contains("one")) })
            #expect(try await bed.wallet("ann") == .init(100))
            #expect(try await bed.leftovers() == 0)
            // A prepared transaction can undo it.
            let xid = XID()
            try await withdraw(participant, .xa, xid)
            #expect(try await participant.rollBack([xid]) == [xid: .rolledBack])
        }
    }

    @Test("may write temporary and exempted tables, and what its connection did before is not held against it")
    func allowed() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.database.pool.script(
                "CREATE TABLE diary (n int); CREATE TABLE busy (n int); SELECT settle.exempt('diary');")
            // PostgreSQL's counters of a connection go on for up to a second after its transactions have ended.
            for _ in 1...20 { _ = try await bed.database.pool.query("INSERT INTO busy VALUES (1)") }
            for note in [
                "INSERT INTO diary VALUES (1)", "CREATE TEMP TABLE scratch ON COMMIT DROP AS SELECT 1 AS n",
                "UPDATE busy SET n = 2 WHERE false",
            ] {
                let xid = XID()
                try await withdraw(participant(bed, note), .at, xid)
                #expect(try await bed.participant.rollBack([xid]) == [xid: .rolledBack])
            }
            #expect(try await bed.wallet("ann") == .init(100))
        }
    }

    @Test("may write a table that was enrolled after the look: a new service looks while its migrations run")
    func enrolledLater() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.database.pool.script("CREATE TABLE late (n int PRIMARY KEY)")
            let participant = participant(bed, "INSERT INTO late VALUES (1)")
            #expect(try await participant.isATSafe())
            await #expect(throws: PostgresError.self) { try await withdraw(participant) }
            _ = try await bed.database.pool.query("SELECT settle.enroll('late')")
            let xid = XID()
            try await withdraw(participant, .at, xid)
            #expect(try await participant.rollBack([xid]) == [xid: .rolledBack])
            #expect(try await bed.database.number("SELECT count(*) FROM late") == 0)
        }
    }

    @Test("is refused at the start when a table has changed so that it could not be undone; other modes go on")
    func obstacles() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            try await bed.database.pool.script(
                "CREATE TABLE coupon (n int PRIMARY KEY, wallet text REFERENCES wallet ON DELETE CASCADE)")
            let log = LogCollector()
            let participant = participant(bed, "SELECT", log: log)
            let checkBack = CheckBack(participant: participant, peers: bed.wire, logger: quiet)
            try await serving([checkBack]) {
                try await eventually {
                    log.lines.contains { $0.hasPrefix("error") && $0.contains("coupon") }
                }
                await #expect(throws: BranchError.atImpossible) { try await withdraw(participant) }
                let xid = XID()
                try await withdraw(participant, .xa, xid)
                #expect(try await participant.rollBack([xid]) == [xid: .rolledBack])
            }
            // The next process looks again.
            _ = try await bed.database.pool.query("SELECT settle.enroll('coupon', 'wallet')")
            let next = self.participant(bed, "SELECT")
            #expect(try await next.isATSafe())
        }
    }
}
