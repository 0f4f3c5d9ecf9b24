import Foundation
import SettlePostgres
import ServiceLifecycle
import SettleTestSupport
import Testing

@testable import Settle

@Suite("Phase 2", .serialized, .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(1)))
struct PhaseTwoTests {
    struct Trouble: Error {}

    private static let slow = "http://slow.test"

    /// A transaction with a part in `wallet`, and one at the participant that does not answer.
    @discardableResult
    private func place(_ bed: TransactionBed, _ wallet: String, slow: Bool = false) async throws -> XID {
        try await bed.initiator.run { transaction in
            try await bed.call(1, from: wallet, .at, transaction)
            if slow { try transaction.caller.enlist(Self.slow) }
            try await bed.decide(transaction)
            return transaction.xid
        }
    }

    @Test("a participant that hangs keeps no other waiting: rows elsewhere are free at once")
    func hangingParticipant() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            bed.wire.hang(Self.slow)
            try await serving([bed.initiator]) {
                let begin = ContinuousClock.now
                for _ in 0..<20 {
                    try await place(bed, "ann", slow: true)
                    try await bed.awaitNothingLeft(within: .seconds(2))
                }
                #expect(ContinuousClock.now - begin < .seconds(10))
                #expect(
                    try await bed.database.number(
                        "SELECT count(*) FROM settle.global_transaction WHERE acknowledged_at IS NULL") == 20)
            }
        }
    }

    @Test(
        "a rollback at a participant that hangs keeps the caller waiting no longer than it says, and no other rollback")
    func hangingRollback() async throws {
        var settings = TransactionBed.settings
        settings.rollbackWait = .milliseconds(500)
        try await TransactionBed.with(settings: settings) { bed in
            try await bed.fill("ann")
            bed.wire.hang(Self.slow)
            let begin = ContinuousClock.now
            await withTaskGroup { group in
                for _ in 0..<12 {
                    group.addTask {
                        await #expect(throws: Trouble.self) {
                            try await bed.initiator.run { transaction in
                                try transaction.caller.enlist(Self.slow)
                                throw Trouble()
                            }
                        }
                    }
                }
                await group.waitForAll()
            }
            #expect(ContinuousClock.now - begin < .seconds(3))
            await #expect(throws: Trouble.self) {
                try await bed.initiator.run { transaction in
                    try await bed.call(1, from: "ann", .at, transaction)
                    throw Trouble()
                }
            }
            try await eventually("the other one is undone") { try await bed.wallet("ann") == .init(100) }
        }
    }

    @Test("a participant that is away for a moment is told again soon, without a scan")
    func awayForAMoment() async throws {
        var settings = TransactionBed.settings
        settings.scanInterval = .seconds(600)
        try await TransactionBed.with(settings: settings) { bed in
            try await bed.fill("ann")
            try await serving([bed.initiator]) {
                bed.wire.cut(TransactionBed.wallets)
                let xid = try await place(bed, "ann")
                try await TransactionBed.await { bed.wire.messages(to: TransactionBed.wallets).count >= 3 }
                #expect(try await bed.state(xid) == .undecided)
                bed.wire.mend(TransactionBed.wallets)
                try await TransactionBed.await(within: .seconds(3)) { try await bed.state(xid) == .committed }
            }
        }
    }

    @Test("a participant that is away for long is told by whoever scans, also by another process; never in a hot loop")
    func awayForLong() async throws {
        var settings = TransactionBed.settings
        settings.lease = .milliseconds(100)
        settings.scanInterval = .milliseconds(20)
        try await TransactionBed.with(settings: settings) { bed in
            try await bed.fill("ann")
            bed.wire.cut(TransactionBed.wallets)
            // Its own process dies right after the commit: nobody runs its loops.
            let xid = try await place(bed, "ann")
            let replica = TransactionInitiator(
                selfURL: TransactionBed.here, database: bed.database.pool, participants: bed.wire, settings: settings,
                logger: quiet)
            try await serving([replica]) {
                try await Task.sleep(for: .seconds(2))
                let tries = bed.wire.messages(to: TransactionBed.wallets).count
                #expect((1...4).contains(tries), "\(tries) tries in two seconds")
                bed.wire.mend(TransactionBed.wallets)
                try await TransactionBed.await(within: .seconds(5)) { try await bed.state(xid) == .committed }
            }
        }
    }

    @Test("decisions that come at once are told and acknowledged in batches")
    func batches() async throws {
        try await TransactionBed.with { bed in
            for number in 0..<60 { try await bed.fill("\(number)") }
            try await serving([bed.initiator]) {
                await withTaskGroup { group in
                    for number in 0..<60 { group.addTask { _ = try? await place(bed, "\(number)") } }  // counted below
                }
                try await bed.awaitAcknowledged(60)
                let messages = bed.wire.messages(to: TransactionBed.wallets)
                #expect(messages.flatMap(\.xids).count == 60, "each once")
                #expect(messages.count < 60)
                #expect(try await bed.leftovers() == 0)
            }
        }
    }

    @Test("what could not be acknowledged is told again, and that does nothing")
    func toldAgain() async throws {
        var settings = TransactionBed.settings
        settings.lease = .milliseconds(50)
        settings.scanInterval = .milliseconds(20)
        let failpoints = try Failpoints("initiator.confirmed=throw@1")
        try await TransactionBed.with(settings: settings, failpoints: failpoints) { bed in
            try await bed.fill("ann")
            try await serving([bed.initiator]) {
                try await place(bed, "ann")
                try await bed.awaitAcknowledged(1)
                #expect(bed.wire.messages(to: TransactionBed.wallets).count >= 2)
                #expect(try await bed.wallet("ann") == .init(99))
            }
        }
    }

    @Test("at a graceful shutdown, what was decided is still told")
    func shutdown() async throws {
        try await TransactionBed.with { bed in
            try await bed.fill("ann")
            let xid = try await serving([bed.initiator]) { try await place(bed, "ann") }
            #expect(try await bed.state(xid) == .committed)
        }
    }
}
