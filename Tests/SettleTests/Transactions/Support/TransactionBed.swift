import SettleCore
import Foundation
import Logging
import SettlePostgres
import SettleSchema
import SettleTestSupport
import Testing

@testable import Settle

/// An initiator with a participant, the wallet service of `ExampleParticipant.swift`, over one real database.
struct TransactionBed {
    let database: TestDatabase
    let wire: Wire
    let participant: Participant
    let initiator: TransactionInitiator
    let checkBack: CheckBack
    let settings: TransactionSettings

    static let here = "http://initiator.test"
    static let wallets = "http://wallets.test"

    /// Impatient enough for a test; nothing but the test itself looks for anything.
    static var settings: TransactionSettings {
        var settings = TransactionSettings()
        settings.checkAfter = .milliseconds(1)
        settings.checkBackoff = Backoff(initial: .milliseconds(1), cap: .milliseconds(2))
        settings.lockTimeout = .milliseconds(300)
        settings.rollbackWait = .seconds(3)
        settings.outcomeWait = .milliseconds(100)
        return settings
    }

    static func with(
        settings: TransactionSettings = TransactionBed.settings, failpoints: Failpoints = .none,
        handlers: [BranchHandler] = walletHandlers, actionsCanEnd: @escaping @Sendable () -> Bool = { true },
        endLimit: Duration = .seconds(30), logger: Logger = quiet,
        _ body: (TransactionBed) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            try await PostgresMigrator.apply(SettleSchema.transactions, on: database.pool)
            try await PostgresMigrator.apply(SettleSchema.at, on: database.pool)
            try await PostgresMigrator.apply([walletSchema], set: "wallet", on: database.pool)
            try await PostgresMigrator.apply(SettleSchema.branchKey, on: database.pool)
            let ending = try TestDatabase.connect(database.url, connections: 2, statementTimeout: endLimit)
            let wire = Wire()
            let participant = Participant(
                name: "wallets", database: database.pool, ending: ending, handlers: handlers, settings: settings,
                failpoints: failpoints, actionsCanEnd: actionsCanEnd, logger: logger)
            let initiator = TransactionInitiator(
                selfURL: here, database: database.pool, participants: wire, settings: settings, failpoints: failpoints,
                logger: quiet)
            wire.join(wallets, participant)
            wire.join(here, initiator)
            let bed = TransactionBed(
                database: database, wire: wire, participant: participant, initiator: initiator,
                checkBack: CheckBack(participant: participant, peers: wire, logger: quiet), settings: settings)
            try await serving([ending]) {
                let result: Result<Void, any Error>
                do { result = .success(try await body(bed)) } catch { result = .failure(error) }
                // A database with prepared transactions cannot be dropped.
                let left = try await ending.query(
                    "SELECT split_part(gid, ':', 2) FROM pg_prepared_xacts WHERE database = current_database()")
                for row in left {
                    guard let xid = XID(rawValue: try row.decode(String.self, at: 0)) else { continue }
                    for prepared in try await participant.prepared.find([xid]) {
                        _ = try await participant.prepared.end(prepared, verdict: .rollback)
                    }
                }
                try result.get()
            }
        }
    }

    // MARK: What a test does

    func fill(_ wallet: String, _ balance: Int = 100) async throws {
        _ = try await database.pool.query(
            "INSERT INTO wallet (name, balance) VALUES ($1, $2)", [.text(wallet), .int(balance)])
    }

    /// A branch request, as it comes in at the participant.
    @discardableResult
    func withdraw(
        _ amount: Int64, from wallet: String, _ mode: BranchMode, _ xid: XID, _ branch: BranchID = .first,
        deadline: ContinuousClock.Instant? = nil
    ) async throws -> Receipt {
        let request = try JSONEncoder().encode(Withdrawal(wallet: wallet, amount: amount))
        let answer = try await participant.perform(
            "withdraw", request: request,
            context: BranchContext(xid: xid, branch: branch, mode: mode, initiator: Self.here, deadline: deadline))
        return try JSONDecoder().decode(Receipt.self, from: answer.body)
    }

    /// A branch call of the initiator's own, over the wire.
    func call(_ amount: Int64, from wallet: String, _ mode: BranchMode, _ transaction: GlobalTransaction) async throws {
        try transaction.caller.enlist(Self.wallets)
        try await withdraw(
            amount, from: wallet, mode, transaction.xid, try transaction.caller.nextBranch(),
            deadline: transaction.deadline)
    }

    /// The initiator's local transaction.
    func decide(_ transactions: GlobalTransaction...) async throws {
        try await database.pool.transaction { [initiator] in try initiator.decide(transactions, in: $0) }
    }

    // MARK: What a test sees

    struct Wallet: Equatable, Sendable {
        let balance: Int
        let reserved: Int

        init(_ balance: Int, reserved: Int = 0) {
            self.balance = balance
            self.reserved = reserved
        }
    }

    func wallet(_ name: String) async throws -> Wallet {
        let rows = try await database.pool.query(
            "SELECT balance, reserved FROM wallet WHERE name = $1", [.text(name)])
        let row = try #require(rows.first)
        return Wallet(try row.decode(Int.self, at: 0), reserved: try row.decode(Int.self, at: 1))
    }

    func state(_ xid: XID, _ branch: BranchID = .first) async throws -> BranchState? {
        try await BranchStore.find(xid, branch, in: database.pool)?.state
    }

    func decision(_ xid: XID) async throws -> String? {
        try await database.pool.query(
            "SELECT decision FROM settle.global_transaction WHERE xid = $1", [.text(xid.rawValue)]
        ).first?.decode(String.self, at: 0)
    }

    /// Undecided branches, images and locks, and prepared transactions.
    func leftovers() async throws -> Int {
        try await database.number(
            """
            SELECT (SELECT count(*) FROM settle.branch WHERE state = 'undecided')
                 + (SELECT count(*) FROM settle.undo_log)
                 + (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database())
            """)
    }

    /// Waits until nothing is undecided any more.
    func awaitNothingLeft(
        within limit: Duration = .seconds(10), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await Self.await(within: limit, sourceLocation: sourceLocation) { try await leftovers() == 0 }
    }

    /// Waits until so many decisions are carried out everywhere.
    func awaitAcknowledged(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await Self.await(sourceLocation: sourceLocation) {
            try await database.number(
                "SELECT count(*) FROM settle.global_transaction WHERE acknowledged_at IS NOT NULL") == count
        }
    }

    /// Waits until `condition`.
    static func await(
        within limit: Duration = .seconds(10), sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: () async throws -> Bool
    ) async throws {
        try await eventually(
            within: limit, fileID: sourceLocation.fileID, line: sourceLocation.line, condition)
    }
}
