import Foundation
import Logging
import SettlePostgres
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle

@Suite("Branches in trouble", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct TroubleTests {
    /// Changes so many wallets in one statement.
    struct Tax: LocalAction {
        struct Request: Codable, Sendable { let wallets: Int }
        struct Answer: Codable, Sendable {}

        func perform(_ request: Request, in transaction: borrowing PostgresTransaction) throws -> Answer {
            transaction.add(
                "UPDATE wallet SET balance = balance - 1 WHERE name::int <= $1::int", [.int(request.wallets)])
            return Answer()
        }
    }

    private func with(
        settings: TransactionSettings = TransactionBed.settings, wallets: Int, endLimit: Duration = .seconds(30),
        logger: Logger = quiet, _ body: (TransactionBed) async throws -> Void
    ) async throws {
        let handlers: [BranchHandler] = [.at("tax", Tax()), .xa("tax", Tax())]
        try await TransactionBed.with(settings: settings, handlers: handlers, endLimit: endLimit, logger: logger) {
            bed in
            _ = try await bed.database.pool.query(
                "INSERT INTO wallet (name, balance) SELECT n, 100 FROM generate_series(1, $1) AS n", [.int(wallets)])
            try await body(bed)
        }
    }

    private func tax(_ wallets: Int, _ bed: TransactionBed, _ xid: XID, mode: BranchMode = .at) async throws {
        let request = try JSONEncoder().encode(Tax.Request(wallets: wallets))
        _ = try await bed.participant.perform(
            "tax", request: request, context: BranchContext(xid: xid, mode: mode, initiator: TransactionBed.here))
    }

    private func total(_ bed: TransactionBed) async throws -> Int {
        try await bed.database.number("SELECT sum(balance) FROM wallet")
    }

    @Test("one that changes too many in mode at is refused in the first phase, and nothing of it stays")
    func refused() async throws {
        var settings = TransactionBed.settings
        settings.maxRows = 100
        try await with(settings: settings, wallets: 101) { bed in
            await #expect(throws: BranchError.tooManyRows(limit: 100)) { try await tax(101, bed, XID()) }
            #expect(try await bed.leftovers() == 0)
            #expect(try await total(bed) == 10_100)
            let most = XID()
            try await tax(100, bed, most)
            #expect(try await bed.participant.rollBack([most]) == [most: .rolledBack])
            // Where PostgreSQL itself can undo it, there is no such bound.
            let prepared = XID()
            try await tax(101, bed, prepared, mode: .xa)
            #expect(try await bed.participant.rollBack([prepared]) == [prepared: .rolledBack])
            #expect(try await total(bed) == 10_100)
        }
    }

    @Test("an undo takes as long as it takes, whatever limit there is for other statements")
    func longUndo() async throws {
        try await with(wallets: 10_000, endLimit: .seconds(1)) { bed in
            let xid = XID()
            try await tax(10_000, bed, xid)
            #expect(try await bed.participant.rollBack([xid]) == [xid: .rolledBack])
            #expect(try await total(bed) == 1_000_000)
            #expect(try await bed.leftovers() == 0)
        }
    }

    @Test("one that cannot be ended in the time allowed is named, in the log and to an operator")
    func tooLong() async throws {
        var settings = TransactionBed.settings
        settings.endTimeout = .milliseconds(50)
        let log = LogCollector()
        try await with(settings: settings, wallets: 5_000, logger: Logger(label: "test") { _ in log.handler }) { bed in
            let xid = XID()
            try await tax(5_000, bed, xid)
            #expect(try await bed.participant.rollBack([xid]) == [:])
            #expect(try await bed.participant.undecided(limit: 1).first?.errormsg != nil)
            #expect(log.lines.contains { $0.hasPrefix("error ") && $0.contains(xid.rawValue) })
        }
    }

    @Test("one that waits for a row is nothing to speak of for a minute; after that it is named")
    func waitsForRow() async throws {
        let log = LogCollector()
        try await with(wallets: 1, logger: Logger(label: "test") { _ in log.handler }) { bed in
            let xid = XID()
            try await tax(1, bed, xid)
            let gate = Gate()
            let holding = Task {
                try await bed.database.pool.transaction { transaction in
                    _ = try transaction.query("SELECT FROM wallet FOR UPDATE")
                    gate.pass()
                }
            }
            try await gate.reached()
            #expect(try await bed.participant.rollBack([xid]) == [:])
            #expect(try await bed.participant.undecided(limit: 1).first?.errormsg == nil)
            _ = try await bed.database.pool.query("UPDATE settle.branch SET created_at = now() - interval '61 seconds'")
            #expect(!log.lines.contains { $0.hasPrefix("error ") })
            #expect(try await bed.participant.rollBack([xid]) == [:])
            #expect(try await bed.participant.undecided(limit: 1).first?.errormsg != nil)
            #expect(log.lines.contains { $0.hasPrefix("error ") && $0.contains(xid.rawValue) })
            gate.open()
            try await holding.value
            #expect(try await bed.participant.rollBack([xid]) == [xid: .rolledBack])
            #expect(try await total(bed) == 100)
        }
    }

    @Test("a prepared transaction that cannot be ended is named, too, until it can be")
    func prepared() async throws {
        let log = LogCollector()
        try await with(wallets: 1) { bed in
            let role = "settle_weak_\(UUID().uuidString.prefix(8).lowercased())"
            for statement in [
                "CREATE ROLE \(role) LOGIN PASSWORD 'weak'", "GRANT USAGE ON SCHEMA settle TO \(role)",
                "GRANT ALL ON settle.branch TO \(role)",
            ] { _ = try await bed.database.pool.query(statement) }
            var parts = try #require(URLComponents(string: bed.database.url))
            (parts.user, parts.password) = (role, "weak")
            let weak = try TestDatabase.connect(try #require(parts.string), connections: 2)
            let participant = Participant(
                name: "wallets", database: bed.database.pool, ending: weak, handlers: [.xa("tax", Tax())],
                settings: bed.settings, logger: Logger(label: "test") { _ in log.handler })
            let xid = XID()
            try await tax(1, bed, xid, mode: .xa)
            try await serving([weak]) {
                #expect(try await participant.rollBack([xid]) == [:])
                #expect(try await participant.undecided(limit: 1).first?.errormsg != nil)
                #expect(log.lines.contains { $0.hasPrefix("error ") && $0.contains(xid.rawValue) })
                // Whoever may, ends it; then it is not spoken of any more.
                #expect(try await bed.participant.rollBack([xid]) == [xid: .rolledBack])
                _ = try await UndecidedBranches(participant: participant).survey()
                #expect(participant.unendedPrepared.withLock { $0.isEmpty })
            }
            for statement in ["DROP OWNED BY \(role)", "DROP ROLE \(role)"] {
                _ = try await bed.database.pool.query(statement)
            }
        }
    }

    @Test("a commit of what no branch knows is answered as ever and logged, unless it is older than branches are kept")
    func unknownCommit() async throws {
        let log = LogCollector()
        try await with(wallets: 1, logger: Logger(label: "test") { _ in log.handler }) { bed in
            let lost = XID()
            let old = try #require(XID(rawValue: "01890a5d-ac96-774b-bcce-b302099a8057"))  // of 2023
            let known = XID()
            try await tax(1, bed, known)
            #expect(
                try await bed.participant.commit([lost, old, known])
                    == [lost: .committed, old: .committed, known: .committed])
            let errors = log.lines.filter { $0.hasPrefix("error ") }
            #expect(errors.count == 1)
            #expect(errors.first?.contains(lost.rawValue) == true)
            #expect(try await bed.participant.rollBack([lost]) == [lost: .rolledBack])
        }
    }

    @Test("rows that are held for a transaction without an undecided branch are counted; others are not")
    func ownerless() async throws {
        try await with(wallets: 6) { bed in
            func ownerless() async throws -> Int { try await bed.database.number("SELECT settle.at_ownerless()") }
            try await tax(3, bed, XID())
            #expect(try await ownerless() == 0)
            for (name, wallets) in [("lost-1", "('4', '5')"), ("lost-2", "('6')")] {
                try await bed.database.pool.transaction { transaction in
                    transaction.add("SELECT set_config('settle.xid', $1, true)", [.text(name)])
                    for _ in 1...2 { transaction.add("UPDATE wallet SET balance = 1 WHERE name IN \(wallets)") }
                }
            }
            #expect(try await ownerless() == 3)
        }
    }
}
